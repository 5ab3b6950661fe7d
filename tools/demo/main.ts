/**
 * `npm run demo [-- --size 20MB]`: the whole main job on made-up Denver files, served from this machine: a
 * first look at what Longhaul does, with the real CLI.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { loadSettings } from '../../src/config/load-settings.ts';
import { parseSize } from '../generate/size.ts';
import { startFileOrigin } from '../origin/file-origin.ts';
import { longhaul, PROGRAM } from './cli.ts';
import { DEMO_DATASETS, makeDatasetsFile, makeSourceFiles } from './sources.ts';

const DEFAULT_SIZE = '20MB';
const SAMPLE_SQL = `SELECT source AS year, count(*) AS requests, count(DISTINCT agency) AS agencies,
       min(case_created_dttm) AS first_request, max(case_created_dttm) AS last_request
FROM denver_311 GROUP BY source ORDER BY source`;

process.exitCode = await demo();

async function demo(): Promise<number> {
  const { values } = parseArgs({ options: { size: { type: 'string', default: DEFAULT_SIZE } } });
  const bytes = parseSize(values.size);
  if (bytes === undefined) {
    console.error(`${values.size} is not a size such as 20MB or 1GB.`);
    return 2;
  }
  if (!existsSync(PROGRAM)) {
    console.error(`There is no ${PROGRAM} yet: run npm run build.`);
    return 2;
  }
  const settings = loadSettings({ env: process.env, cwd: process.cwd() });
  const folder = join(settings.stateDir, 'demo');
  say(`Making Denver-shaped files of ${values.size} each`);
  const files = await makeSourceFiles(join(folder, 'files'), bytes);
  const origin = await startFileOrigin(join(folder, 'files'));
  try {
    const datasetsFile = join(folder, 'datasets.yaml');
    await makeDatasetsFile(datasetsFile, origin.url, files);
    return await run(settings, datasetsFile);
  } finally {
    await origin.close();
  }
}

async function run(
  settings: { rawDir: string; convertedDir: string },
  datasetsFile: string,
): Promise<number> {
  // An empty TEMPORAL_ADDRESS is no address: the demo always has the embedded server.
  const env = {
    DATASETS_FILE: datasetsFile,
    TEMPORAL_ADDRESS: '',
    ALLOW_PRIVATE_ADDRESSES: 'true',
  };
  say(`longhaul ingest ${DEMO_DATASETS.join(' ')}`);
  const ingested = await longhaul(['ingest', ...DEMO_DATASETS], env);
  if (ingested !== 0) return ingested;
  say('The lake');
  console.log(
    `  raw, byte-exact  ${near(settings.rawDir)}\n  Parquet          ${near(settings.convertedDir)}`,
  );
  say('longhaul query, over all years');
  console.log(`${SAMPLE_SQL}\n`);
  const queried = await longhaul(['query', SAMPLE_SQL], env);
  if (queried !== 0) return queried;
  say('What next');
  console.log(
    [
      '  npx longhaul up              the same history again, in the Web UI',
      '  npm run demo                 again today: it is published already, and nothing changes',
      '  npx longhaul query "SELECT * FROM denver_311 LIMIT 5"',
    ].join('\n'),
  );
  return 0;
}

/** Relative where it is below this folder. */
function near(path: string): string {
  const below = relative(process.cwd(), path);
  return below.startsWith('..') ? path : below;
}

function say(title: string): void {
  console.log(`\n== ${title}`);
}
