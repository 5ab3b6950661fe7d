import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withLab } from '../helpers/lab.ts';
import { startTemporal } from '../helpers/temporal.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';

interface Run {
  status: string;
  ledger: { rows: number };
}

interface Failure {
  error: { code: string };
}

describe("a team's own Temporal", () => {
  it('is served by `longhaul worker`, which refuses what a stranger could ask of it', async () => {
    const temporal = await startTemporal();
    try {
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
    } finally {
      await temporal.teardown();
    }
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
      // The second command joins the run, or finds what it published.
      const { code, json } = await lab.json<Run>(['ingest', 'things']);
      assert.deepEqual([code, json.ledger.rows], [0, 2]);
      assert.equal((await lab.published()).length, 1);
    });
  });
});
