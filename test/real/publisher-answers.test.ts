import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '../../src/model/errors.ts';
import { startLab, withLab, type Lab } from '../helpers/lab.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';
/** The embedded server's default. It gives the test time to remove the fault. */
const PATIENT = { SOURCE_RETRY_MINUTES: '15' };

interface Failure {
  error: { code: ErrorCode; message: string; retryable: boolean };
}

describe('a publisher', () => {
  let lab: Lab & { close(): Promise<void> };
  before(async () => {
    lab = await startLab({ env: { MAX_SOURCE_SIZE: '1MB' } });
  });
  after(async () => await lab.close());

  it('is waited for while it makes the file, and the progress says what it says', async () => {
    lab.origin.set('/export', {
      status: 202,
      body: JSON.stringify({ status: 'PagingData', progressInPercent: 50 }),
      headers: { 'retry-after': '2' },
    });
    await lab.datasets({ things: { a: lab.origin.address('/export') } });
    const run = lab.start(['ingest', 'things']);
    await run.says(/answered 202, .*: PagingData, 50 %, try \d/);
    lab.origin.set('/export', { body: CSV });
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stdout + stderr);
    assert.equal((await lab.published())[0]?.ledger.rows, 2);
  });

  for (const [name, dataset, answer, exit, error] of [
    ['could not make it', 'failed', { body: '{"status":"Failed"}' }, 3, 'SOURCE_EXPORT_FAILED'],
    [
      'sends more than MAX_SOURCE_SIZE',
      'huge',
      { body: 'a,b\n'.repeat(500_000), chunked: true },
      4,
      'SOURCE_TOO_LARGE',
    ],
  ] as const) {
    it(`that ${name} ends the run with its reason, and nothing is landed`, async () => {
      lab.origin.set(`/${dataset}`, answer);
      await lab.datasets({ [dataset]: { a: lab.origin.address(`/${dataset}`) } });
      const { code, json } = await lab.json<Failure>(['ingest', dataset]);
      assert.deepEqual([code, json.error.code], [exit, error]);
      assert.deepEqual(await lab.lakeFiles(dataset), []);
    });
  }
});

/** Makes every process of a lab read some DNS answers from a file: name → address, or name → code of an error. */
const FAULTY_DNS = `
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { lookup } = dns;
dns.lookup = (name, options, callback) => {
  const answer = JSON.parse(readFileSync(process.env.DNS_ANSWERS, 'utf8'))[name];
  if (answer === undefined) lookup(name, options, callback);
  else if (/^E/.test(answer)) callback(Object.assign(new Error('getaddrinfo ' + answer), { code: answer }));
  else callback(null, [{ address: answer, family: 4 }]);
};
syncBuiltinESMExports();
`;

interface NamedLab extends Lab {
  dns(answer: string): Promise<void>;
}

/** Runs a lab whose publisher has a name. The test decides what DNS answers for this name. */
async function withDns(answer: string, body: (lab: NamedLab) => Promise<void>): Promise<void> {
  await withLab({ routes: { '/a.csv': { body: CSV } }, env: PATIENT, up: false }, async (lab) => {
    const [script, answers] = [join(lab.folder, 'dns.mjs'), join(lab.folder, 'dns.json')];
    const dns: NamedLab['dns'] = async (next) =>
      await writeFile(answers, JSON.stringify({ 'publisher.test': next }));
    await writeFile(script, FAULTY_DNS);
    await dns(answer);
    Object.assign(lab.env, { NODE_OPTIONS: `--import=${script}`, DNS_ANSWERS: answers });
    const address = lab.origin.address('/a.csv').replace('127.0.0.1', 'publisher.test');
    await lab.datasets({ things: { a: address } });
    assert.equal((await lab.run(['up', '--background'])).code, 0);
    await body({ ...lab, dns });
  });
}

describe('a publisher whose name does not resolve', () => {
  it('is tried again where DNS itself does not answer', async () => {
    await withDns('EAI_AGAIN', async (lab) => {
      const run = lab.start(['ingest', 'things']);
      await run.says(/EAI_AGAIN.*, try \d/);
      await lab.dns('127.0.0.1');
      assert.equal((await run.ended).code, 0);
    });
  });

  it('does not cost a scheduled day, whatever DNS says for a while', async () => {
    await withDns('ENOTFOUND', async (lab) => {
      const detached = await lab.run(['ingest', 'things', '--detach']);
      assert.equal(detached.code, 0, detached.stderr);
      // The command joins the run, which was started with --detach.
      const run = lab.start(['ingest', 'things']);
      await run.says(/DNS does not know, try \d/);
      await lab.dns('127.0.0.1');
      assert.equal((await run.ended).code, 0);
      assert.equal((await lab.published()).length, 1);
    });
  });

  it('ends a command that a person follows, long before other faults do', async () => {
    await withDns('ENOTFOUND', async (lab) => {
      const { code, json } = await lab.json<Failure>(['ingest', 'things']);
      assert.deepEqual([code, json.error.code], [3, 'SOURCE_NO_SUCH_HOST']);
      assert.match(json.error.message, /publisher\.test/);
    });
  });
});
