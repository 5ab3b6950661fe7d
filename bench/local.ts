/**
 * `npm run bench -- local [--size 1GB] [--rounds 3] [--dir FOLDER]`: runs `longhaul ingest` of one file from a loopback
 * server in turn with curl and DuckDB's own typed COPY. Longhaul's time includes counting, checksum, verification,
 * Temporal and the start of the CLI, but not the start of the embedded server.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../src/config/load-config.ts';
import { parseSize } from '../tools/generate/size.ts';
import { machineFacts, median } from './machine.ts';
import { makeSource, startOrigin } from './origin.ts';
import { curlThenDuckDb, timed } from './peers.ts';
import { watchMemory, type MemoryPeaks } from './process-memory.ts';

const PROGRAM = join('dist', 'cli', 'main.js');
const GOAL_RATIO = 1.25;
const FILE = '311_2023.csv';

interface Round {
  longhaulSeconds: number;
  peerSeconds: number;
  peerPeakBytes: number;
}

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GB' },
    rounds: { type: 'string', default: '3' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const sizeBytes = parseSize(values.size);
if (sizeBytes === undefined || !existsSync(PROGRAM)) {
  throw new Error(`Needs a --size such as 1GB, and ${PROGRAM} (npm run build).`);
}
const folder = await mkdtemp(join(values.dir, 'longhaul-bench-'));
const dataDir = join(folder, 'data');
const environment = {
  LAKE: dataDir,
  DATASETS_FILE: join(folder, 'datasets.yaml'),
  TEMPORAL_ADDRESS: '',
  ALLOW_PRIVATE_ADDRESSES: 'true',
};
try {
  await bench(sizeBytes, Number(values.rounds));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function bench(bytes: number, count: number): Promise<void> {
  console.log(machineFacts());
  const records = await makeFile(bytes);
  const origin = await startOrigin(join(folder, 'origin'));
  try {
    await longhaul('up', '--background');
    const memory = watchMemory('LAKE', dataDir);
    const rounds: Round[] = [];
    for (let number = 1; number <= count; number += 1) {
      rounds.push(await round(number, `${origin.url}/${FILE}`, records));
    }
    report(rounds, await memory.stop());
  } finally {
    await longhaul('down').catch((error: unknown) => console.error(error));
    origin.stop();
  }
}

/** Each program starts first in every other round, because the second one finds a warmer cache. */
async function round(number: number, url: string, records: number): Promise<Round> {
  let peer = number % 2 === 0 ? await runPeer(url, records) : undefined;
  const longhaulSeconds = await runLonghaul(number, url, records);
  peer ??= await runPeer(url, records);
  console.log(`round ${number}: longhaul ${shown(longhaulSeconds)}, peer ${shown(peer.seconds)}`);
  return { longhaulSeconds, peerSeconds: peer.seconds, peerPeakBytes: peer.peakBytes };
}

async function runLonghaul(number: number, url: string, records: number): Promise<number> {
  const { seconds, stdout } = await longhaul('ingest', url, '--name', `bench-${number}`, '--json');
  const { ledger } = JSON.parse(stdout) as { ledger: { rows: number; balanced: boolean } };
  if (!ledger.balanced || ledger.rows !== records)
    throw new Error(`Not ${records} rows: ${stdout}`);
  for (const zone of ['takehome-raw', 'takehome-converted']) {
    await rm(join(dataDir, zone, `bench-${number}`), { recursive: true, force: true });
  }
  return seconds;
}

async function runPeer(
  url: string,
  records: number,
): Promise<{ seconds: number; peakBytes: number }> {
  const { duckdb } = loadConfig({ env: process.env, cwd: process.cwd() }).settings;
  const [csv, parquet] = [join(folder, 'peer.csv'), join(folder, 'peer.parquet')];
  const peer = await curlThenDuckDb(url, { csv, parquet, ...duckdb });
  if (peer.rows !== records) console.log(`(DuckDB by itself made ${peer.rows} rows of ${records})`);
  await Promise.all([csv, parquet].map((path) => rm(path)));
  return peer;
}

async function makeFile(bytes: number): Promise<number> {
  await mkdir(join(folder, 'origin'));
  await writeFile(environment.DATASETS_FILE, 'datasets: {}\n');
  const made = await makeSource(join(folder, 'origin'), bytes, FILE);
  console.log(`denver-311 2023: ${made.bytes} bytes, ${made.records} records\n`);
  return made.records;
}

function longhaul(...args: string[]): ReturnType<typeof timed> {
  return timed(process.execPath, [PROGRAM, ...args], environment);
}

function report(rounds: readonly Round[], { togetherBytes, byProcess }: MemoryPeaks): void {
  const ours = median(rounds.map((each) => each.longhaulSeconds));
  const theirs = median(rounds.map((each) => each.peerSeconds));
  const peerPeak = Math.max(...rounds.map((each) => each.peerPeakBytes));
  const ratio = ours / theirs;
  console.log(`\nmedian of ${rounds.length}      seconds   peak memory`);
  console.log(
    `longhaul ingest   ${shown(ours)}   ${megabytes(togetherBytes)} (all processes together)`,
  );
  console.log(`curl, then DuckDB ${shown(theirs)}   ${megabytes(peerPeak)}`);
  const verdict = ratio <= GOAL_RATIO ? 'met' : 'missed';
  console.log(`ratio ${ratio.toFixed(2)} (goal: at most ${GOAL_RATIO}, ${verdict})\n`);
  for (const [name, bytes] of byProcess) {
    if (bytes > 0) console.log(`${megabytes(bytes)}  ${name}`);
  }
}

function shown(seconds: number): string {
  return `${seconds.toFixed(2).padStart(6)} s`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0).padStart(6)} MB`;
}
