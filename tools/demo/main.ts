/**
 * `npm run demo [-- --size 20MB] [--target s3] [--engine emr]`: the whole main job on made-up Denver files, served from this
 * machine, into a lake on disk or in an S3 of this machine's own: a first look at what Longhaul does, with the
 * real CLI.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import { TARGETS } from '../../src/model/run.ts';
import { parseSize } from '../generate/size.ts';
import { startFileOrigin } from '../origin/file-origin.ts';
import { longhaul, PROGRAM } from './cli.ts';
import { startDemoEmr } from './emr.ts';
import { startDemoS3, type DemoS3 } from './s3.ts';
import { DEMO_DATASETS, makeDatasetsFile, makeSourceFiles } from './sources.ts';

/** A lake of the demo's own: in that of the user's datasets, a day of made-up files would stand for the real one. */
const DEMO_DATA_DIR = 'data-demo';
const DEFAULT_SIZE = '20MB';
const SAMPLE_SQL = `SELECT source AS year, count(*) AS requests, count(DISTINCT agency) AS agencies,
       min(case_created_dttm) AS first_request, max(case_created_dttm) AS last_request
FROM denver_311 GROUP BY source ORDER BY source`;

function nextOnDisk(dataDir: string): string[] {
  return [
    `  DATA_DIR=${dataDir} npx longhaul up`,
    '      the same history again, in the Web UI',
    `  DATA_DIR=${dataDir} npx longhaul query "SELECT * FROM denver_311 LIMIT 5"`,
    '  npm run demo',
    '      again today: it is published already, and nothing changes',
    '  npx longhaul ingest denver-311',
    '      the real files, into a lake of their own',
  ];
}

/** The S3 is gone with the demo; its bucket stays. */
const NEXT_WITH_S3 = [
  '  npm run demo -- --target s3  again today: it is published already, and nothing changes',
  '  LONGHAUL_TARGET=s3 S3_BUCKET=… npx longhaul ingest <dataset>    with a bucket of yours: docs/aws.md',
];

process.exitCode = await demo();

async function demo(): Promise<number> {
  const { values } = parseArgs({
    options: {
      size: { type: 'string', default: DEFAULT_SIZE },
      target: { type: 'string' },
      engine: { type: 'string' },
    },
  });
  const bytes = parseSize(values.size);
  const isEmr = values.engine === 'emr';
  const wanted = values.target ?? (isEmr ? 's3' : 'disk');
  const target = TARGETS.find((each) => each === wanted);
  const problem =
    bytes === undefined
      ? `${values.size} is not a size such as 20MB or 1GB.`
      : !target
        ? `${wanted} is not one of the targets ${TARGETS.join(', ')}.`
        : values.engine !== undefined && !isEmr
          ? `${values.engine} is no engine of the demo: emr, or none for DuckDB.`
          : isEmr && target !== 's3'
            ? 'The engine emr reads and writes S3: leave --target out.'
            : !existsSync(PROGRAM) && `There is no ${PROGRAM} yet: run npm run build.`;
  if (problem || bytes === undefined) {
    console.error(problem);
    return 2;
  }
  const dataDir = process.env['DATA_DIR'] || DEMO_DATA_DIR;
  const settings = loadSettings({ env: { ...process.env, DATA_DIR: dataDir }, cwd: process.cwd() });
  const folder = join(settings.stateDir, 'demo');
  say(`Making Denver-shaped files of ${values.size} each`);
  const files = await makeSourceFiles(join(folder, 'files'), bytes);
  if (target === 's3') say('Starting an S3 on this machine');
  const s3 = target === 's3' ? await startDemoS3(settings.stateDir) : undefined;
  if (isEmr) say('Starting an EMR on this machine: HDFS and Spark');
  const emr = s3 && isEmr ? await startDemoEmr(settings.stateDir, s3.env) : undefined;
  const origin = await startFileOrigin(join(folder, 'files'));
  try {
    const datasetsFile = join(folder, 'datasets.yaml');
    await makeDatasetsFile(datasetsFile, origin.url, files);
    return await run(settings, datasetsFile, s3, emr?.env);
  } finally {
    await origin.close();
    await emr?.stop();
    await s3?.stop();
  }
}

async function run(
  settings: Settings,
  datasetsFile: string,
  s3?: DemoS3,
  emr?: Record<string, string>,
): Promise<number> {
  // An empty TEMPORAL_ADDRESS is no address: the demo always has the embedded server.
  const env = {
    DATA_DIR: settings.dataDir,
    DATASETS_FILE: datasetsFile,
    TEMPORAL_ADDRESS: '',
    ALLOW_PRIVATE_ADDRESSES: 'true',
    LONGHAUL_TARGET: 'disk',
    ...s3?.env,
    ...emr,
  };
  say(`longhaul ingest ${DEMO_DATASETS.join(' ')}`);
  const ingested = await longhaul(['ingest', ...DEMO_DATASETS], env);
  if (ingested !== 0) return ingested;
  say('The lake');
  const onDisk = [
    `  raw, byte-exact  ${near(settings.rawDir)}`,
    `  Parquet          ${near(settings.convertedDir)}`,
  ];
  console.log((s3 ? await s3.describe() : onDisk).join('\n'));
  say('longhaul query, over all years');
  console.log(`${SAMPLE_SQL}\n`);
  const queried = await longhaul(['query', SAMPLE_SQL], env);
  if (queried !== 0) return queried;
  say('What next');
  console.log((s3 ? NEXT_WITH_S3 : nextOnDisk(near(settings.dataDir))).join('\n'));
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
