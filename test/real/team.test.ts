import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { withLab, type Outcome } from '../helpers/lab.ts';
import { freeNamespace, TestTemporal } from '../helpers/temporal.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';

interface Run {
  status: string;
  ledger: { rows: number };
}

interface Failure {
  error: { code: string; message: string };
}

describe("a team's own Temporal", () => {
  const temporal = new TestTemporal();

  it('is served by `longhaul worker`, which refuses local files and metadata addresses', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address, ALLOW_PRIVATE_ADDRESSES: 'true' };
    await withLab({ routes: { '/a.csv': { body: CSV } }, env, up: false }, async (lab) => {
      await lab.datasets({
        things: { a: lab.origin.address('/a.csv') },
        secrets: { a: 'file:///proc/self/environ' },
      });
      const worker = lab.start(['worker']);
      await worker.says(/Working for/);
      const { code, json } = await lab.json<Run>(['ingest', 'things']);
      assert.deepEqual([code, json.status, json.ledger.rows], [0, 'published', 2]);
      const refused = await lab.json<Failure>(['ingest', 'secrets']);
      assert.deepEqual([refused.code, refused.json.error.code], [4, 'ADDRESS_REFUSED']);
      worker.process.kill('SIGTERM');
      assert.equal((await worker.ended).code, 0);
    });
  });
});

describe('two lakes on one Temporal', () => {
  const temporal = new TestTemporal();
  // Each test has its own lakes.
  afterEach(async () => await freeNamespace(temporal.client));

  const taken = (outcome: Outcome & { json: Failure }, mine: string, theirs: string): void => {
    const { code, message } = outcome.json.error;
    assert.deepEqual([outcome.code, code], [2, 'LAKE_NAMESPACE_TAKEN'], outcome.stdout);
    assert.ok(message.includes(`used for the lake ${theirs} of`), message);
    assert.ok(message.includes(`not for ${mine} of`), message);
  };

  it('need a namespace each: worker and commands of the second are refused, and do nothing', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address, ALLOW_PRIVATE_ADDRESSES: 'true' };
    await withLab({ routes: { '/a.csv': { body: CSV } }, env, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const first = lab.start(['worker']);
      await first.says(/Working for .*task queue longhaul-[\da-f]{12}\./);
      const second = join(lab.folder, 'second');
      const elsewhere = { env: { LAKE: second } };
      const worker = await lab.run(['worker'], elsewhere);
      assert.equal(worker.code, 2, worker.stderr);
      assert.match(worker.stderr, /LAKE_NAMESPACE_TAKEN: /);
      for (const argv of [['ingest', 'things'], ['sweep'], ['schedule', 'apply']]) {
        taken(await lab.json<Failure>(argv, elsewhere), second, lab.lakeDir);
      }
      const { json } = await lab.json<{ runs: unknown[] }>(['runs'], elsewhere);
      assert.deepEqual(json.runs, [], 'a command that only reads is not refused');

      first.process.kill('SIGTERM');
      assert.equal((await first.ended).code, 0);
      const still = await lab.run(['worker'], elsewhere);
      assert.match(
        still.stderr,
        /LAKE_NAMESPACE_TAKEN: /,
        'a lake whose workers are away is a lake',
      );

      await freeNamespace(temporal.client);
      const next = lab.start(['worker'], elsewhere);
      await next.says(/Working for/);
      const run = await lab.json<Run>(['ingest', 'things'], elsewhere);
      assert.deepEqual([run.code, run.json.ledger.rows], [0, 2], run.stderr);
      taken(await lab.json<Failure>(['ingest', 'things']), lab.lakeDir, second);
      next.process.kill('SIGTERM');
      assert.equal((await next.ended).code, 0);
    });
  });

  it('that start their workers at once: one gets the namespace', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address };
    await withLab({ env, up: false }, async (lab) => {
      const workers = ['a', 'b'].map((name) =>
        lab.start(['worker'], { env: { LAKE: join(lab.folder, name) } }),
      );
      const refused = await Promise.race(workers.map(async ({ ended }) => await ended));
      assert.deepEqual([refused.code, refused.signal], [2, null], refused.stderr);
      assert.match(refused.stderr, /LAKE_NAMESPACE_TAKEN: /);
      const [winner, ...others] = workers.filter(({ process: each }) => each.exitCode === null);
      assert.equal(others.length, 0);
      await winner?.says(/Working for/);
      winner?.process.kill('SIGTERM');
      assert.equal((await winner?.ended)?.code, 0);
    });
  });
});

describe('--detach', () => {
  it('needs a server that stays, and says so; with one the run goes on by itself', async () => {
    await withLab({ routes: { '/a.csv': { body: CSV } }, up: false }, async (lab) => {
      await lab.datasets({ things: { a: lab.origin.address('/a.csv') } });
      const refused = await lab.json<Failure>(['ingest', 'things', '--detach']);
      assert.deepEqual([refused.code, refused.json.error.code], [2, 'EMBEDDED_NOT_RUNNING']);
      assert.equal((await lab.run(['up', '--background'])).code, 0);
      assert.equal((await lab.run(['ingest', 'things', '--detach'])).code, 0);
      // The second command joins the run or finds the day that it published.
      const { code, json } = await lab.json<Run>(['ingest', 'things']);
      assert.deepEqual([code, json.ledger.rows], [0, 2]);
      assert.equal((await lab.published()).length, 1);
    });
  });
});
