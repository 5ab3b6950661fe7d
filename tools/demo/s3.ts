import { join } from 'node:path';
import { loadConfig } from '../../src/config/load-config.ts';
import { startS3Server } from '../local-aws/s3-server.ts';
import { locateVersitygw } from '../local-aws/versitygw.ts';
import { openLake } from '../../src/storage/open-lake.ts';
import type { StoredObject } from '../../src/storage/store.ts';

const BUCKET = 'longhaul-demo';
/** Objects shown of each zone. The others are only counted. */
const SHOWN_OBJECTS = 4;

export interface DemoS3 {
  /** Environment with which the CLI uses it, for any AWS settings of this machine. */
  env: Record<string, string>;
  /** A few lines with the lake's place and its objects. */
  describe(): Promise<string[]>;
  stop(): Promise<void>;
}

/**
 * Starts an S3 for the demo, whose bucket is kept from run to run. The state of the runs' Temporal is kept beside it,
 * because the worker of an embedded Temporal for another lake would not know this one.
 */
export async function startDemoS3(stateDir: string): Promise<DemoS3> {
  const folder = join(stateDir, 'demo-s3');
  const program = await locateVersitygw({
    given: process.env['VERSITYGW'],
    searchPath: process.env['PATH'],
    onNote: (note) => console.log(`  ${note}`),
  });
  const server = await startS3Server({ folder: join(folder, 's3'), program });
  await server.createBucket(BUCKET);
  const env = {
    ...Object.fromEntries(UNSET.map((key) => [key, ''])),
    LAKE: `s3://${BUCKET}`,
    STATE_DIR: join(folder, 'state'),
    AWS_ENDPOINT_URL_S3: server.endpoint,
    AWS_REGION: server.region,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
  };
  return {
    env,
    describe: async () => await describeLake(env),
    stop: async () => await server.stop(),
  };
}

/** Empty values have no effect, so that settings for a real bucket in .env or the environment do not apply. */
const UNSET = [
  ...['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL'],
  ...['S3_PATH_STYLE', 'S3_CHECKSUMS', 'S3_KMS_KEY_ID'],
];

async function describeLake(env: Record<string, string>): Promise<string[]> {
  // This process finds the server by the environment, as any AWS program does.
  Object.assign(process.env, env);
  const settings = loadConfig({ env: process.env, cwd: process.cwd() }).settings;
  const lake = await openLake(settings);
  const lines: string[] = [];
  for (const [title, store] of [
    ['raw, byte-exact', lake.raw],
    ['Parquet', lake.converted],
  ] as const) {
    const objects: StoredObject[] = [];
    for await (const object of store.list('')) objects.push(object);
    const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
    lines.push(`  ${title.padEnd(16)} ${store.uri('')}  ${objects.length} objects, ${size(bytes)}`);
    const shown = objects.toSorted((a, b) => (a.key < b.key ? -1 : 1)).slice(0, SHOWN_OBJECTS);
    for (const { key, bytes: each } of shown) lines.push(`    ${size(each).padStart(9)}  ${key}`);
    if (objects.length > shown.length) {
      lines.push(`    ${'…'.padStart(9)}  and ${objects.length - shown.length} more`);
    }
  }
  return lines;
}

function size(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
