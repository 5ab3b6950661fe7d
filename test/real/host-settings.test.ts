import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withLab, type Lab } from '../helpers/lab.ts';
import type { Answer } from '../helpers/origin.ts';
import { pidsWith, until } from '../helpers/processes.ts';

const SMALL_CSV = 'id,name\r\n1,a\r\n';
const CSV = `id,name\r\n${'1,a\r\n'.repeat(600_000)}`;
/** More bytes than the probe reads. */
const HELD_AT_BYTES = 2_000_000;

interface Failure {
  error: { code: string; message: string; hint: string };
}

describe('settings of a command that differ from those of the worker that runs', () => {
  it('are handed on with the run, or the command is refused with their names until `longhaul down`', async () => {
    await withLab({ routes: { '/a.csv': { body: SMALL_CSV } } }, async (lab) => {
      const source = { a: lab.origin.address('/a.csv') };
      await lab.datasets({ things: source, others: source });
      const env = { DUCKDB_MEMORY_LIMIT: '700MiB', HTTP_STALL_TIMEOUT_SECONDS: '7' };
      const refused = await lab.json<Failure>(['ingest', 'things'], { env });
      assert.deepEqual([refused.code, refused.json.error.code], [2, 'CONFIG_INVALID']);
      const { message, hint } = refused.json.error;
      assert.match(message, /DUCKDB_MEMORY_LIMIT, HTTP_STALL_TIMEOUT_SECONDS\.$/);
      assert.match(hint, /longhaul down/);
      assert.deepEqual(await lab.lakeFiles(), []);
      assert.equal((await lab.run(['runs'], { env })).code, 0, 'looking depends on none');
      // A run on a disk needs no credentials. The other two settings are part of the run's input.
      const free = { AWS_PROFILE: 'other', SOURCE_CONCURRENCY: '1', ENGINE: 'parquetjs' };
      assert.equal((await lab.run(['ingest', 'things'], { env: free })).code, 0);
      const [published] = await lab.published();
      assert.match(JSON.stringify(published), /parquetjs/);
      assert.equal((await lab.run(['down'])).code, 0);
      assert.equal((await lab.run(['ingest', 'others'], { env })).code, 0);
    });
  });
});

describe('a command that only looks', () => {
  it('resumes no run: a cancelled one ends when a worker is there, and the day is loaded anew', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const held: Answer = { body: CSV, pauseAfterBytes: { bytes: HELD_AT_BYTES, until: released } };
    const env = {
      HTTP_STALL_TIMEOUT_SECONDS: '60',
      SOURCE_RETRY_MINUTES: '15',
      HEARTBEAT_TIMEOUT_SECONDS: '2',
    };
    await withLab({ routes: { '/a.csv': held }, env, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const running = lab.start(['ingest', 'things']);
      await running.says(/things a: land/);
      running.process.kill('SIGKILL');
      await nothingRuns(lab);
      const asked = lab.origin.requests.length;

      const runs = await lab.json<{ runs: { status: string; runId: string }[] }>(['runs']);
      assert.deepEqual(
        runs.json.runs.map(({ status }) => status),
        ['RUNNING'],
      );
      const runId = runs.json.runs[0]?.runId ?? '';
      const shown = await lab.run(['show', runId]);
      assert.match(shown.stdout, /: running/);
      assert.match(shown.stderr, /No worker runs: the run goes on as soon as one does/);
      assert.equal((await lab.run(['schedule', 'list'])).code, 0);
      const cancelled = await lab.run(['cancel', runId]);
      assert.equal(cancelled.code, 0, cancelled.stderr);
      assert.match(cancelled.stdout, /No worker runs: it ends, and is cleaned up, as soon as one/);
      assert.equal(lab.origin.requests.length, asked, 'the publisher was not asked');

      release();
      const again = await lab.run(['ingest', 'things']);
      assert.equal(again.code, 0, again.stderr);
      const ended = await lab.json<{ runs: { status: string }[] }>(['runs']);
      assert.deepEqual(
        ended.json.runs.map(({ status }) => status),
        ['COMPLETED', 'CANCELLED'],
      );
      assert.equal((await lab.published()).length, 1);
    });
  });
});

/** The server ends some seconds after its only command was killed. */
async function nothingRuns(lab: Lab): Promise<void> {
  const lines = new RegExp(lab.folder);
  await until('no server', async () => (await pidsWith(lines)).length === 0);
}
