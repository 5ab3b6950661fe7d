import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { readFooter } from '../../src/verification/footers.ts';
import { withLab, type Lab } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';

/** 48 MB, so that each stage takes long enough for the test to hit it. The records have quoted line breaks. */
const RECORDS = 600_000;
const BODY = Buffer.from(
  `id,text,when,amount\r\n${Array.from(
    { length: RECORDS },
    (_, n) =>
      `${n},"line one of ${n}\nline two, and some more text to make it long",${(n % 12) + 1}/${(n % 28) + 1}/2023,${n}.5`,
  ).join('\r\n')}\r\n`,
);
/** A checkpoint may be this many bytes behind. The next worker reads these bytes again. */
const MAX_REREAD_BYTES = 32 * 1024 * 1024;

interface Run {
  status: string;
  ledger: { records: number; rows: number; balanced: boolean };
  sources: { raw: string; bytes: number }[];
}

async function hostPid(lab: Lab): Promise<number> {
  const host = JSON.parse(await readFile(join(lab.stateDir, 'host.json'), 'utf8')) as {
    pid: number;
  };
  return host.pid;
}

async function assertWhole(lab: Lab, run: Run): Promise<void> {
  assert.deepEqual(run.ledger, { records: RECORDS, rows: RECORDS, rejected: 0, balanced: true });
  assert.ok(BODY.equals(await readFile(run.sources[0]?.raw ?? '')));
  const left = (await lab.lakeFiles()).filter((file) => /_staging|partial|\.tmp$/.test(file));
  assert.deepEqual(left, []);
  assert.equal((await lab.published()).length, 1);
}

/** A reader that finds files by a glob must see no unfinished file of a killed writer. */
async function assertWholeParquet(lab: Lab): Promise<void> {
  const files = (await lab.lakeFiles()).filter((file) => file.endsWith('.parquet'));
  const store = new DiskStore(lab.lakeDir);
  for (const file of files) assert.equal((await readFooter(store, file)).rows, RECORDS);
}

const SLOW: Answer = { body: BODY, etag: '"1"', bytesPerSecond: 30_000_000 };

/** File names that show that a source has reached a stage. The stages are in order. */
const SIGNS = {
  land: /\.partial$/,
  inspect: /a\.csv\.manifest\.json$/,
  convert: /\/\.part-[\da-f]{8}-[\da-f]{8}-\d+\.parquet\.partial$/,
  verify: /_staging\/.*\/parts\.json$/,
  publish: /_source\.json$/,
} as const;
type Stage = keyof typeof SIGNS | 'probe';

/** Each run loses several workers, because most of its time is the start of a host. */
const RUNS: Stage[][] = [
  ['probe', 'land', 'inspect'],
  ['convert', 'verify', 'publish'],
];

describe('workers that are killed', () => {
  for (const stages of RUNS) {
    it(`while a source is at ${stages.join(', then at ')} lose nothing and publish nothing twice`, async () => {
      const isSilent = stages.includes('probe');
      const route = (n: number): Answer => (n === 1 && isSilent ? { silent: true } : SLOW);
      const env = {
        HEARTBEAT_TIMEOUT_SECONDS: '2',
        HTTP_STALL_TIMEOUT_SECONDS: '5',
        SOURCE_RETRY_MINUTES: '15',
      };
      await withLab({ routes: { '/a.csv': route }, env, up: false }, async (lab) => {
        await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
        const running = lab.start(['ingest', 'things', '--json']);
        const killed = new Set<number>();
        for (const stage of stages) {
          await until(async () =>
            stage === 'probe'
              ? lab.origin.requests.length > 0
              : (await lab.lakeFiles()).some((file) => SIGNS[stage].test(file)),
          );
          const pid = await hostPid(lab);
          assert.ok(!killed.has(pid), `the worker at "${stage}" is another one`);
          process.kill(pid, 'SIGKILL');
          killed.add(pid);
          await assertWholeParquet(lab);
        }
        const { code, stdout, stderr } = await running.ended;
        assert.equal(code, 0, stdout + stderr);
        await assertWhole(lab, JSON.parse(stdout) as Run);
        const sent = lab.origin
          .requestsTo('/a.csv')
          .reduce((sum, request) => sum + request.bytesSent, 0);
        const slack = 8 * 1024 * 1024; // Probes, and bytes in the buffers of sockets.
        assert.ok(sent <= BODY.length + MAX_REREAD_BYTES + slack, `${sent} bytes were sent`);
      });
    });
  }

  it('together with the command that asked for the run: the next command takes it over', async () => {
    const env = { HEARTBEAT_TIMEOUT_SECONDS: '2', SOURCE_RETRY_MINUTES: '15' };
    await withLab({ routes: { '/a.csv': SLOW }, env, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things', '--json']);
      await running.says(/things a: land/);
      const pid = await hostPid(lab);
      running.process.kill('SIGKILL');
      process.kill(pid, 'SIGKILL');
      await running.ended;
      const { code, json } = await lab.json<Run>(['ingest', 'things']);
      assert.equal(code, 0);
      await assertWhole(lab, json);
    });
  });
});

describe('Ctrl-C', () => {
  it('cancels the run and keeps what was downloaded: the next run of the day goes on from there', async () => {
    const stalled: Answer = { ...SLOW, stallAfterBytes: 20_000_000 };
    // The first request is the probe. The second is the download.
    const route = (n: number): Answer => (n <= 2 ? stalled : SLOW);
    const env = { HTTP_STALL_TIMEOUT_SECONDS: '60', HEARTBEAT_TIMEOUT_SECONDS: '5' };
    await withLab({ routes: { '/a.csv': route }, env, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things']);
      await until(async () => (await lab.lakeFiles()).some((file) => file.endsWith('.partial')));
      running.process.kill('SIGINT');
      const { code, stderr } = await running.ended;
      assert.equal(code, 130, stderr);
      assert.match(
        stderr,
        /Cancelling the run and keeping what it downloaded\. Ctrl-C again leaves/,
      );
      const left = await lab.lakeFiles();
      assert.ok(left.length > 0 && left.every((file) => file.includes('.partial')), left.join());
      const { json } = await lab.json<Run>(['ingest', 'things']);
      await assertWhole(lab, json);
      const { range = '' } = lab.origin.requestsTo('/a.csv').at(-1) ?? {};
      assert.match(range, /^bytes=[1-9]\d*-$/);
    });
  });

  it('with --discard leaves nothing, and says so', async () => {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const route: Answer = { ...SLOW, pauseAfterBytes: { bytes: 20_000_000, until } };
    const env = { HTTP_STALL_TIMEOUT_SECONDS: '60', HEARTBEAT_TIMEOUT_SECONDS: '5' };
    await withLab({ routes: { '/a.csv': route }, env, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things', '--discard', '--json']);
      await running.says(/things a: land/);
      running.process.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 130, stdout + stderr);
      assert.match(stderr, /throwing away what it downloaded/);
      assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'CANCELLED');
      assert.deepEqual(await lab.lakeFiles(), []);
      release();
    });
  });

  it('twice leaves at once', async () => {
    const route: Answer = { ...SLOW, stallAfterBytes: 20_000_000 };
    const env = { HTTP_STALL_TIMEOUT_SECONDS: '60' };
    await withLab({ routes: { '/a.csv': route }, env }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things']);
      await running.says(/things a: land/);
      running.process.kill('SIGINT');
      await running.says(/[Cc]ancel/);
      running.process.kill('SIGINT');
      const { code } = await running.ended;
      assert.equal(code, 130);
    });
  });
});

describe('longhaul up', () => {
  it('keeps history over a restart, and down leaves no process', async () => {
    await withLab({ routes: { '/a.csv': { body: 'a\n1\n' } } }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      await lab.json(['ingest', 'things', '--date', '2026-11-23', '--as-if']);
      const pid = await hostPid(lab);
      assert.equal((await lab.run(['down'])).code, 0);
      await assertGone(pid);
      const { code, stdout } = await lab.run(['show', 'ingest/things/2026-11-23']);
      assert.equal(code, 0);
      assert.match(stdout, /COMPLETED|completed|published/);
    });
  });
});

/** The parent may take a moment to reap a killed process. */
async function assertGone(pid: number): Promise<void> {
  await until(() => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
}

const WAIT_LIMIT_MS = 60_000;

/** Polls every few milliseconds, because the stages that the test wants to hit are short. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_LIMIT_MS;
  while (!(await isTrue())) {
    assert.ok(performance.now() < end, 'it never came to it');
    await sleep(5);
  }
}
