/**
 * `npm run demo [-- --size 20MB] [--target s3] [--engine emr|emr-serverless]`: shows what Longhaul does, with the real
 * CLI. It ingests made-up Denver files that this machine serves, into a lake on disk or in an S3 on this machine.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ZONE_FOLDERS } from '../../src/model/layout.ts';
import { parseSize } from '../generate/size.ts';
import { startFileOrigin } from '../origin/file-origin.ts';
import { longhaul, PROGRAM } from './cli.ts';
import { DEMO_ENGINES, startDemoEmr } from './emr.ts';
import { startDemoS3, type DemoS3 } from './s3.ts';
import { DEMO_DATASETS, makeDatasetsFile, makeSourceFiles } from './sources.ts';

/** The demo has its own lake. In the user's lake, a day of made-up files would look like a real one. */
const DEMO_LAKE = 'data-demo';
/** `disk` is a folder. `s3` is a bucket of an S3 on this machine. */
const TARGETS = ['disk', 's3'] as const;
const DEFAULT_SIZE = '20MB';
const SAMPLE_SQL = `SELECT source AS year, count(*) AS requests, count(DISTINCT agency) AS agencies,
       min(case_created_dttm) AS first_request, max(case_created_dttm) AS last_request
FROM denver_311 GROUP BY source ORDER BY source`;

function nextOnDisk(lake: string): string[] {
  return [
    `  npx longhaul up --lake ${lake}`,
    '      the same history again, in the Web UI',
    `  npx longhaul query --lake ${lake} "SELECT * FROM denver_311 LIMIT 5"`,
    '  npm run demo',
    '      again today: it is published already, and nothing changes',
    '  npx longhaul ingest denver-311',
    '      the real files, into a lake of their own',
  ];
}

/** The S3 ends with the demo. Its bucket stays. */
const NEXT_WITH_S3 = [
  '  npm run demo -- --target s3  again today: it is published already, and nothing changes',
  '  npx longhaul ingest <dataset> --lake s3://<bucket>    with a bucket of yours: docs/aws.md',
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
  const engine = DEMO_ENGINES.find((each) => each === values.engine);
  const wanted = values.target ?? (engine ? 's3' : 'disk');
  const target = TARGETS.find((each) => each === wanted);
  const problem =
    bytes === undefined
      ? `${values.size} is not a size such as 20MB or 1GB.`
      : !target
        ? `${wanted} is not one of the targets ${TARGETS.join(', ')}.`
        : values.engine !== undefined && !engine
          ? `${values.engine} is no engine of the demo: ${DEMO_ENGINES.join(', ')}, or none for DuckDB.`
          : engine && target !== 's3'
            ? `The engine ${engine} reads and writes S3: leave --target out.`
            : !existsSync(PROGRAM) && `There is no ${PROGRAM} yet: run npm run build.`;
  if (problem || bytes === undefined) {
    console.error(problem);
    return 2;
  }
  const given = process.env['LAKE'] ?? '';
  const lake = resolve(given === '' || given.startsWith('s3:') ? DEMO_LAKE : given);
  const stateDir = join(lake, '.longhaul');
  const folder = join(stateDir, 'demo');
  say(`Making Denver-shaped files of ${values.size} each`);
  const files = await makeSourceFiles(join(folder, 'files'), bytes);
  if (target === 's3') say('Starting an S3 on this machine');
  const s3 = target === 's3' ? await startDemoS3(stateDir) : undefined;
  if (engine) say(`Starting ${engine} on this machine`);
  const emr = s3 && engine ? await startDemoEmr(engine, stateDir, s3.env) : undefined;
  const origin = await startFileOrigin(join(folder, 'files'));
  try {
    const datasetsFile = join(folder, 'datasets.yaml');
    await makeDatasetsFile(datasetsFile, origin.url, files);
    return await run(lake, datasetsFile, s3, emr?.env);
  } finally {
    await origin.close();
    await emr?.stop();
    await s3?.stop();
  }
}

async function run(
  lake: string,
  datasetsFile: string,
  s3?: DemoS3,
  emr?: Record<string, string>,
): Promise<number> {
  // With an empty TEMPORAL_ADDRESS, the demo always has the embedded server.
  const env = {
    LAKE: lake,
    STATE_DIR: join(lake, '.longhaul'),
    DATASETS_FILE: datasetsFile,
    TEMPORAL_ADDRESS: '',
    ALLOW_PRIVATE_ADDRESSES: 'true',
    ...s3?.env,
    ...emr,
  };
  say(`longhaul ingest ${DEMO_DATASETS.join(' ')}`);
  const ingested = await longhaul(['ingest', ...DEMO_DATASETS], env);
  if (ingested !== 0) return ingested;
  say('The lake');
  const onDisk = [
    `  raw, byte-exact  ${near(join(lake, ZONE_FOLDERS.raw))}`,
    `  Parquet          ${near(join(lake, ZONE_FOLDERS.converted))}`,
  ];
  console.log((s3 ? await s3.describe() : onDisk).join('\n'));
  say('longhaul query, over all years');
  console.log(`${SAMPLE_SQL}\n`);
  const queried = await longhaul(['query', SAMPLE_SQL], env);
  if (queried !== 0) return queried;
  say('What next');
  console.log((s3 ? NEXT_WITH_S3 : nextOnDisk(near(lake))).join('\n'));
  return 0;
}

/** The path relative to this folder, if it is below it. */
function near(path: string): string {
  const below = relative(process.cwd(), path);
  return below.startsWith('..') ? path : below;
}

function say(title: string): void {
  console.log(`\n== ${title}`);
}
