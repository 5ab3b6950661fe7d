/**
 * `npm run bench -- s3 [--size 1GB] [--rounds 3] [--sizes 250MB,500MB,1GB,2GB,4GB] [--dir FOLDER]`: `longhaul land`
 * of one file from a loopback server to versitygw against `rclone copyurl` and `curl | aws s3 cp -`, in turn and in
 * one run; then Longhaul alone over several sizes: time should be a straight line, memory flat.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { locateVersitygw } from '../src/programs/versitygw.ts';
import { startS3Server } from '../src/embedded/s3-server.ts';
import { parseSize } from '../tools/generate/size.ts';
import { machineFacts, median } from './machine.ts';
import { makeSource, startOrigin } from './origin.ts';
import { timed } from './peers.ts';
import { memoryOf } from './process-memory.ts';
import { curlIntoAws, installS3Peers, rcloneCopyUrl, type S3Access } from './s3-peers.ts';

const PROGRAM = join('dist', 'cli', 'main.js');
const BUCKET = 'longhaul-bench';
/** Of the issue: what the landing may take above the idle worker. */
const GOAL_MEMORY_MIB = 160;
const MIB = 1024 * 1024;

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
  originUrl: string;
  environment: Record<string, string>;
}

async function bench(): Promise<void> {
  console.log(machineFacts());
  const peers = await installS3Peers();
  console.log(`rclone ${peers.rcloneVersion}, aws-cli ${peers.awsVersion}\n`);
  await Promise.all(['origin', 's3'].map(async (name) => await mkdir(join(folder, name))));
  await writeFile(join(folder, 'datasets.yaml'), 'datasets: {}\n');
  const server = await startS3Server({
    folder: join(folder, 's3'),
    program: await locateVersitygw({
      given: process.env['VERSITYGW'],
      searchPath: process.env['PATH'],
    }),
  });
  const origin = await startOrigin(join(folder, 'origin'));
  try {
    await server.createBucket(BUCKET);
    const { endpoint, accessKeyId, secretAccessKey, region } = server;
    const s3 = { endpoint, accessKeyId, secretAccessKey, region, bucket: BUCKET };
    const lab = { s3, originUrl: origin.url, environment: environmentOf(s3) };
    await compare(lab, peers);
    await scale(lab);
  } finally {
    origin.stop();
    await server.stop();
  }
}

function environmentOf(s3: S3Access): Record<string, string> {
  return {
    DATA_DIR: join(folder, 'data'),
    DATASETS_FILE: join(folder, 'datasets.yaml'),
    TEMPORAL_ADDRESS: '',
    ALLOW_PRIVATE_ADDRESSES: 'true',
    LONGHAUL_TARGET: 's3',
    S3_BUCKET: s3.bucket,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
}

type Peers = Awaited<ReturnType<typeof installS3Peers>>;

/** Each comes first in some rounds: who comes later finds warmer caches. */
async function compare(lab: Lab, peers: Peers): Promise<void> {
  const source = await makeSource(join(folder, 'origin'), sizeOf(values.size));
  const url = `${lab.originUrl}/${source.file}`;
  const seconds: Record<string, number[]> = { longhaul: [], rclone: [], aws: [] };
  const runs: [string, (round: number) => Promise<number>][] = [
    ['longhaul', async (round) => (await land(lab, url, `round-${round}`)).seconds],
    ['rclone', async () => await rcloneCopyUrl(peers, lab.s3, url)],
    ['aws', async () => await curlIntoAws(peers, lab.s3, url)],
  ];
  await longhaul(lab, 'up', '--background');
  try {
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (let turn = 0; turn < runs.length; turn += 1) {
        const [name, run] = runs[(round + turn) % runs.length] ?? ['', async () => Number.NaN];
        seconds[name]?.push(await run(round));
        await emptyBucket();
      }
    }
  } finally {
    await longhaul(lab, 'down');
  }
  const [ours = Number.NaN, ...theirs] = Object.values(seconds).map((each) => median(each));
  console.log(`${source.bytes} bytes, ${source.records} records; median of ${values.rounds}:`);
  console.log(`longhaul land (counts, checks)  ${shown(ours)}`);
  console.log(`rclone copyurl, 16 MiB x 4      ${shown(theirs[0] ?? Number.NaN)}`);
  console.log(`curl | aws s3 cp -, 16 MiB      ${shown(theirs[1] ?? Number.NaN)}`);
  const ratio = ours / Math.min(...theirs);
  console.log(`ratio to the faster ${ratio.toFixed(2)} (goal: at most 1.00)\n`);
  await rm(join(folder, 'origin', source.file));
}

/** A fresh worker for each size, so that its peak is of that landing alone. */
async function scale(lab: Lab): Promise<void> {
  console.log('size        seconds   s per GB   worker idle   peak above idle');
  for (const size of values.sizes.split(',')) {
    const source = await makeSource(join(folder, 'origin'), sizeOf(size));
    await longhaul(lab, 'up', '--background');
    try {
      // The first landing of a worker loads what the later ones find: it is no part of idling.
      const warm = await makeSource(join(folder, 'origin'), 40 * MIB, 'warm.csv');
      await land(lab, `${lab.originUrl}/${warm.file}`, `warm-${size.toLowerCase()}`);
      const { residentBytes: idle, pid } = await workerMemory(lab);
      const { seconds } = await land(
        lab,
        `${lab.originUrl}/${source.file}`,
        `size-${size.toLowerCase()}`,
      );
      const above = (memoryOf(pid).peakBytes - idle) / MIB;
      console.log(
        [
          size.padEnd(8),
          shown(seconds),
          (seconds / (source.bytes / 1e9)).toFixed(2).padStart(10),
          `${(idle / MIB).toFixed(0).padStart(10)} MiB`,
          `${above.toFixed(0).padStart(10)} MiB (goal: at most ${GOAL_MEMORY_MIB})`,
        ].join('  '),
      );
    } finally {
      await longhaul(lab, 'down');
    }
    await emptyBucket();
    await rm(join(folder, 'origin', source.file));
  }
}

async function land(lab: Lab, url: string, name: string): Promise<{ seconds: number }> {
  const { seconds, stdout } = await longhaul(lab, 'land', url, '--name', name, '--json');
  const { status } = JSON.parse(stdout) as { status: string };
  if (status !== 'landed') throw new Error(stdout);
  return { seconds };
}

async function workerMemory(lab: Lab): Promise<{ pid: string; residentBytes: number }> {
  const path = join(lab.environment['DATA_DIR'] ?? '', '.longhaul', 'host.json');
  const { pid } = JSON.parse(await readFile(path, 'utf8')) as { pid: number };
  return { pid: String(pid), residentBytes: memoryOf(String(pid)).residentBytes };
}

/** Behind the gateway's back, so that no run pays for another's files. */
async function emptyBucket(): Promise<void> {
  for (const part of ['buckets', 'meta']) {
    await rm(join(folder, 's3', part, BUCKET), { recursive: true, force: true });
    await mkdir(join(folder, 's3', part, BUCKET), { recursive: true });
  }
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
