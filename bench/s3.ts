/**
 * `npm run bench -- s3 [--size 1GB] [--rounds 3] [--sizes 250MB,500MB,1GB,2GB,4GB] [--dir FOLDER]`: lands one file from
 * a loopback server in versitygw by `longhaul land`, `rclone copyurl` and `curl | aws s3 cp -`, in turn. Then it runs
 * Longhaul alone over several sizes: the time should grow linearly, and the memory should stay the same.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../src/config/load-config.ts';
import { locateVersitygw } from '../tools/local-aws/versitygw.ts';
import { startS3Server } from '../tools/local-aws/s3-server.ts';
import { createS3Client } from '../src/storage/s3/client.ts';
import { S3Store } from '../src/storage/s3/s3-store.ts';
import { parseSize } from '../tools/generate/size.ts';
import { machineFacts, median } from './machine.ts';
import { makeSource, startOrigin } from './origin.ts';
import { timed } from './peers.ts';
import { memoryOf } from './process-memory.ts';
import { curlIntoAws, installS3Peers, rcloneCopyUrl, type S3Access } from './s3-peers.ts';

const PROGRAM = join('dist', 'cli', 'main.js');
const BUCKET = 'longhaul-bench';
/** Goal for a landing's memory above that of the idle worker. */
const GOAL_MEMORY_MIB = 160;
const MIB = 1024 * 1024;
/** Two parts and a little more, so that all of a landing's code runs once. */
const WARM_BYTES = 40 * MIB;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GB' },
    rounds: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '250MB,500MB,1GB,2GB,4GB' },
    dir: { type: 'string', default: tmpdir() },
  },
});
if (!existsSync(PROGRAM)) throw new Error(`There is no ${PROGRAM}: npm run build makes it.`);
const folder = await mkdtemp(join(values.dir, 'longhaul-bench-'));
try {
  await bench();
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface Lab {
  s3: S3Access;
  environment: Record<string, string>;
}

async function bench(): Promise<void> {
  console.log(machineFacts());
  const peers = await installS3Peers();
  console.log(`rclone ${peers.rcloneVersion}, aws-cli ${peers.awsVersion}\n`);
  await mkdir(join(folder, 's3'));
  await writeFile(join(folder, 'datasets.yaml'), 'datasets: {}\n');
  const server = await startS3Server({
    folder: join(folder, 's3'),
    program: await locateVersitygw({
      given: process.env['VERSITYGW'],
      searchPath: process.env['PATH'],
    }),
  });
  try {
    await server.createBucket(BUCKET);
    const { endpoint, accessKeyId, secretAccessKey, region } = server;
    const s3 = { endpoint, accessKeyId, secretAccessKey, region, bucket: BUCKET };
    const lab = { s3, environment: environmentOf(s3) };
    await compare(lab, peers);
    await scale(lab);
  } finally {
    await server.stop();
  }
}

function environmentOf(s3: S3Access): Record<string, string> {
  return {
    STATE_DIR: join(folder, 'state'),
    DATASETS_FILE: join(folder, 'datasets.yaml'),
    TEMPORAL_ADDRESS: '',
    ALLOW_PRIVATE_ADDRESSES: 'true',
    LAKE: `s3://${s3.bucket}`,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
}

type Peers = Awaited<ReturnType<typeof installS3Peers>>;

interface Run {
  name: string;
  /** @returns seconds. */
  run: (round: number) => Promise<number>;
}

interface Source {
  url: string;
  /** Address of a small file. The first landing of a worker loads code that the later ones use. */
  warmUrl: string;
  bytes: number;
  records: number;
}

/** Serves a file of this size from a publisher on this machine until `use` ends. */
async function withSource(size: string, use: (source: Source) => Promise<void>): Promise<void> {
  const origin = join(folder, 'origin');
  await mkdir(origin);
  const { file, bytes, records } = await makeSource(origin, sizeOf(size));
  const warm = await makeSource(origin, WARM_BYTES, 'warm.csv');
  const server = await startOrigin(origin);
  try {
    await use({
      url: `${server.url}/${file}`,
      warmUrl: `${server.url}/${warm.file}`,
      bytes,
      records,
    });
  } finally {
    server.stop();
    await rm(origin, { recursive: true });
  }
}

async function withWorker(lab: Lab, use: () => Promise<void>): Promise<void> {
  await longhaul(lab, 'up', '--background');
  try {
    await use();
  } finally {
    await longhaul(lab, 'down');
  }
}

/** Each program starts first in some rounds, because a later one finds warmer caches. */
async function compare(lab: Lab, peers: Peers): Promise<void> {
  await withSource(values.size, async ({ url, bytes, records }) => {
    const runs: Run[] = [
      { name: 'longhaul land', run: async (n) => (await land(lab, url, `round-${n}`)).seconds },
      { name: 'rclone copyurl', run: async () => await rcloneCopyUrl(peers, lab.s3, url) },
      { name: 'curl | aws s3 cp -', run: async () => await curlIntoAws(peers, lab.s3, url) },
    ];
    const seconds = new Map(runs.map(({ name }): [string, number[]] => [name, []]));
    await withWorker(lab, async () => {
      for (let round = 0; round < Number(values.rounds); round += 1) {
        const turn = round % runs.length;
        for (const { name, run } of [...runs.slice(turn), ...runs.slice(0, turn)]) {
          const took = await run(round);
          seconds.get(name)?.push(took);
          console.log(`round ${round + 1}  ${name.padEnd(20)} ${shown(took)}`);
          await emptyBucket(lab);
        }
      }
    });
    const [ours = Number.NaN, ...theirs] = [...seconds.values()].map((each) => median(each));
    console.log(`\n${bytes} bytes, ${records} records; medians of ${values.rounds} rounds`);
    for (const [name, each] of seconds) console.log(`${name.padEnd(20)} ${shown(median(each))}`);
    const ratio = ours / Math.min(...theirs);
    console.log(`ratio to the faster peer ${ratio.toFixed(2)} (goal: at most 1.00)\n`);
  });
}

/** Starts a new worker for each size, so that its peak is that of one landing. */
async function scale(lab: Lab): Promise<void> {
  console.log('size        seconds    s per GB   worker idle   peak above idle');
  for (const size of values.sizes.split(',')) {
    await withSource(size, async ({ url, warmUrl, bytes }) => {
      await withWorker(lab, async () => {
        const name = size.toLowerCase();
        await land(lab, warmUrl, `warm-${name}`);
        const { residentBytes: idle, pid } = await workerMemory(lab);
        const { seconds } = await land(lab, url, `size-${name}`);
        const aboveBytes = memoryOf(pid).peakBytes - idle;
        const columns = [
          size.padEnd(8),
          shown(seconds),
          (seconds / (bytes / 1e9)).toFixed(2).padStart(9),
          mebibytes(idle),
          mebibytes(aboveBytes),
        ];
        console.log(`${columns.join('  ')} (goal: at most ${GOAL_MEMORY_MIB})`);
      });
    });
    await emptyBucket(lab);
  }
}

async function land(lab: Lab, url: string, name: string): Promise<{ seconds: number }> {
  const { seconds, stdout } = await longhaul(lab, 'land', url, '--name', name, '--json');
  const { status } = JSON.parse(stdout) as { status: string };
  if (status !== 'landed') throw new Error(stdout);
  return { seconds };
}

async function workerMemory(lab: Lab): Promise<{ pid: string; residentBytes: number }> {
  const path = join(lab.environment['STATE_DIR'] ?? '', 'host.json');
  const { pid } = JSON.parse(await readFile(path, 'utf8')) as { pid: number };
  return { pid: String(pid), residentBytes: memoryOf(String(pid)).residentBytes };
}

/** Empties the bucket, so that no run pays for another run's files. */
async function emptyBucket({ s3, environment }: Lab): Promise<void> {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const credentials = { accessKeyId, secretAccessKey };
  const settings = loadConfig({ env: environment, cwd: folder }).settings.lake;
  if (settings.kind !== 's3') throw new Error('The environment names no bucket.');
  const client = createS3Client(settings, { endpoint, region, credentials });
  await new S3Store(settings, '', client).deletePrefix('');
  client.destroy();
}

function longhaul(lab: Lab, ...args: string[]): ReturnType<typeof timed> {
  return timed(process.execPath, [PROGRAM, ...args], lab.environment);
}

function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new Error(`${text} is not a size such as 1GB.`);
  return bytes;
}

function shown(seconds: number): string {
  return `${seconds.toFixed(2).padStart(6)} s`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(0).padStart(8)} MiB`;
}
