import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import type { ErrorCode } from '../../src/model/errors.ts';
import { ingestWorkflowId } from '../../src/model/run.ts';
import { taskQueueOf, withLab, type Lab, type Outcome } from '../helpers/lab.ts';
import { startOrigin, type Answer, type SeenRequest } from '../helpers/origin.ts';
import { serveSocrata, socrataOf } from '../helpers/portals/socrata.ts';
import { TestTemporal } from '../helpers/temporal.ts';
import { ingestInput } from '../workflows/fake-activities.ts';

const CANARY = 'c4n4ry8d2f51';
const CSV = 'id,name\r\n1,a\r\n2,b\r\n';

interface Failure {
  error: { code: ErrorCode; message: string; hint: string };
}

/** Serves its file only for the right token, and repeats the request's query in every refusal. */
function guarded(_number: number, { query }: SeenRequest): Answer {
  if (query === `token=${CANARY}`) return { body: CSV, etag: '"1"' };
  return { status: 403, body: JSON.stringify({ message: `Not valid: ${query}` }) };
}

function refusing(_number: number, { query }: SeenRequest): Answer {
  return { status: 500, body: JSON.stringify({ message: `No answer to ${query}` }) };
}

const ROUTES = { '/a.csv': guarded, '/broken.csv': refusing };

/** Serves a portal's table that needs the token in a header. */
function guardedTable({ origin }: Lab): { address: string; headers: Record<string, string> } {
  const table = socrataOf(['id'], [['1'], ['2'], ['3']]);
  table.beforePage = (_number, { headers }) => {
    const { 'x-app-token': given } = headers;
    if (given === CANARY) return undefined;
    return { status: 403, body: JSON.stringify({ message: `Not valid: ${String(given)}` }) };
  };
  const address = serveSocrata(origin, 'aaaa-0001', table);
  return { address, headers: { 'X-App-Token': '${CITY_TOKEN}' } };
}

async function configure(lab: Lab): Promise<void> {
  await lab.datasets({
    table: { a: guardedTable(lab) },
    things: { a: `${lab.origin.address('/a.csv')}?token=\${CITY_TOKEN}` },
    broken: { a: `${lab.origin.address('/broken.csv')}?token=\${CITY_TOKEN}` },
  });
}

/** All events of all workflows, with their payloads. None may contain a publisher's secret. */
async function historiesOf(client: Client): Promise<string> {
  const texts: string[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts.push(
      // The JSON of a history has its payloads in base64.
      JSON.stringify(history, (key, value: unknown) =>
        key === 'data' && typeof value === 'string'
          ? Buffer.from(value, 'base64').toString('utf8')
          : value,
      ),
    );
  }
  return texts.join('\n');
}

/** Files of the lab that contain the canary. The lab holds the lake, Temporal's database and logs. */
async function filesWithCanary({ folder }: Lab): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await readFile(path)).includes(CANARY)) found.push(path.slice(folder.length + 1));
  }
  return found;
}

const says = ({ stdout, stderr }: Outcome): string => stdout + stderr;

/** Starts runs that succeed and runs that fail, and calls every command that shows them. */
async function exercise(lab: Lab): Promise<void> {
  const good = await lab.run(['ingest', 'things']);
  assert.equal(good.code, 0, says(good));
  assert.equal((await lab.published('things'))[0]?.ledger.rows, 2);
  const table = await lab.run(['ingest', 'table']);
  assert.equal(table.code, 0, says(table));
  assert.equal((await lab.published('table'))[0]?.ledger.rows, 3);
  const bad = await lab.json<Failure>(['ingest', 'broken']);
  assert.equal(bad.json.error.code, 'SOURCE_UNAVAILABLE');
  assert.match(bad.json.error.message, /\$\{CITY_TOKEN\}/);
  const outcomes = [
    good,
    table,
    bad,
    await lab.run(['runs', '--json']),
    await lab.run(['datasets', '--json']),
  ];
  for (const name of ['things', 'table', 'broken']) {
    const { json } = await lab.json<{ runs: { runId: string; dataset: string }[] }>(['runs']);
    const run = json.runs.find(({ dataset }) => dataset === name);
    outcomes.push(await lab.run(['show', run?.runId ?? '']));
  }
  for (const outcome of outcomes) assert.doesNotMatch(says(outcome), new RegExp(CANARY));
}

const temporal = new TestTemporal();

describe("a publisher's secret", () => {
  it('is read from .env by the embedded worker, and is in no file but that', async () => {
    await withLab({ routes: ROUTES }, async (lab) => {
      await configure(lab);
      const missing = await lab.json<Failure>(['ingest', 'things']);
      assert.deepEqual([missing.code, missing.json.error.code], [2, 'SECRET_MISSING']);
      assert.match(missing.json.error.message, /CITY_TOKEN/);
      await writeFile(join(lab.folder, '.env'), `CITY_TOKEN=${CANARY}\n`);
      await exercise(lab);
      assert.deepEqual(await filesWithCanary(lab), ['.env']);
    });
  });

  it("is a worker's alone beside a team's Temporal, in no history, and no other address gets it", async () => {
    const otherHost = await startOrigin({ '/a.csv': { body: CSV } });
    const env = { TEMPORAL_ADDRESS: temporal.address, ALLOW_PRIVATE_ADDRESSES: 'true' };
    try {
      await withLab({ routes: ROUTES, env, up: false }, async (lab) => {
        await configure(lab);
        const worker = lab.start(['worker'], { env: { CITY_TOKEN: CANARY } });
        await worker.says(/Working for/);
        await exercise(lab);

        const input = ingestInput(['a']);
        const address = `${otherHost.address('/a.csv')}?\${CITY_TOKEN}`;
        const spec = { ...input.spec, name: 'things' };
        spec.sources = spec.sources.map((source) => ({ ...source, address }));
        const { client } = temporal;
        const ingestDate = (await lab.published('things'))[0]?.ingestDate ?? '';
        const workflowId = ingestWorkflowId('things', ingestDate);
        const run = client.workflow.execute('ingestDataset', {
          taskQueue: await taskQueueOf(lab),
          workflowId,
          args: [{ ...input, dataset: 'things', spec, ingestDate, again: true }],
        });
        await assert.rejects(run);
        assert.deepEqual(otherHost.requests, []);

        worker.process.kill('SIGTERM');
        const log = await worker.ended;
        assert.match(says(log), /ADDRESS_REFUSED|does not have exactly this address/);
        assert.doesNotMatch(says(log), new RegExp(CANARY));
        const histories = await historiesOf(client);
        assert.match(histories, /token=\$\{CITY_TOKEN\}/);
        assert.match(histories, /X-App-Token/);
        assert.doesNotMatch(histories, new RegExp(CANARY));
        assert.deepEqual(await filesWithCanary(lab), []);
      });
    } finally {
      await otherHost.close();
    }
  });

  it('in clear is refused before anything starts, with how to write it', async () => {
    await withLab({ up: false }, async (lab) => {
      const address = `${lab.origin.address('/a.csv')}?X-Amz-Signature=${CANARY}`;
      const url = await lab.json<Failure>(['ingest', address, '--name', 'things']);
      assert.deepEqual([url.code, url.json.error.code], [4, 'ADDRESS_REFUSED']);
      assert.match(url.json.error.hint, /datasets\.yaml.*\$\{CITY_TOKEN\}/);
      await lab.datasets({ things: { a: address } });
      const configured = await lab.json<Failure>(['ingest', 'things']);
      assert.deepEqual([configured.code, configured.json.error.code], [2, 'CONFIG_INVALID']);
      for (const outcome of [url, configured]) {
        assert.match(outcome.json.error.message, /X-Amz-Signature/);
        assert.doesNotMatch(says(outcome), new RegExp(CANARY));
      }
      assert.deepEqual(lab.origin.requests, []);
    });
  });
});
