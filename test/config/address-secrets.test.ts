import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addressSecrets } from '../../src/config/address-secrets.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { errorOf, problemsOf } from './config-files.ts';

const ADDRESS = 'https://x.org/{year}/a.csv?token=${CITY_TOKEN}&day={date}';
const DATASETS = `datasets:
  city:
    sources:
      - years: [2024, 2025]
        address: ${ADDRESS}
  other:
    sources:
      - id: a
        address: https://x.org/a.csv
  headed:
    sources:
      - id: a
        address: https://x.org/h.csv
        headers: { X-App-Token: "\${CITY_TOKEN}" }
`;
const HEADERS = { 'X-App-Token': '${CITY_TOKEN}' };
const OWN = 'https://x.org/2025/a.csv?token=${CITY_TOKEN}&day=2026-11-28';
const ASKED = { dataset: 'city', ingestDate: '2026-11-28', ...at(OWN) };

function at(address: string, headers?: Record<string, string>) {
  const source = { id: 'a', address, optional: false, overrides: {} };
  return { source: { ...source, ...(headers && { headers }) } };
}

type Env = Record<string, string>;

async function withWorker(
  files: { env?: Env; dotenv?: string },
  body: (secretsOf: ReturnType<typeof addressSecrets>, folder: string) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const datasetsFile = join(folder, 'datasets.yaml');
    await writeFile(datasetsFile, DATASETS);
    if (files.dotenv !== undefined) await writeFile(join(folder, '.env'), files.dotenv);
    await body(addressSecrets(datasetsFile, { env: files.env ?? {}, cwd: folder }), folder);
  });
}

describe('the secrets of an address', () => {
  it('are those of the environment, else of .env as it is now', async () => {
    await withWorker({ dotenv: 'CITY_TOKEN=one\n' }, async (secretsOf, folder) => {
      assert.deepEqual(secretsOf(ASKED), { CITY_TOKEN: 'one' });
      await writeFile(join(folder, '.env'), 'CITY_TOKEN="two"\n');
      assert.deepEqual(secretsOf(ASKED), { CITY_TOKEN: 'two' });
    });
    await withWorker({ env: { CITY_TOKEN: 'three' }, dotenv: 'CITY_TOKEN=one\n' }, async (of) => {
      assert.deepEqual(of(ASKED), { CITY_TOKEN: 'three' });
    });
  });

  it('that are not there are named', async () => {
    await withWorker({ env: { CITY_TOKEN: '' } }, async (secretsOf) => {
      const { message } = errorOf(() => secretsOf(ASKED), 'SECRET_MISSING');
      assert.match(message, /needs CITY_TOKEN/);
    });
  });

  it('go with exactly the address and headers that datasets.yaml has for this dataset', async () => {
    await withWorker({ env: { CITY_TOKEN: 's3cr3t', HOME: '/root' } }, async (secretsOf) => {
      for (const strange of [
        at(OWN.replace('x.org', 'evil.org')),
        at(`${OWN}&more`),
        at(OWN.replace('https:', 'http:')),
        at('https://x.org/2025/a.csv?token=${HOME}&day=2026-11-28'),
        { ingestDate: '2026-11-27' },
        { dataset: 'other' },
        { dataset: 'unknown' },
        { dataset: 'headed', ...at('https://evil.org/h.csv', HEADERS) },
        { dataset: 'headed', ...at('https://x.org/h.csv', { ...HEADERS, 'X-B': '${CITY_TOKEN}' }) },
        { dataset: 'headed', ...at('https://x.org/h.csv', { 'X-Echo': '${CITY_TOKEN}' }) },
      ]) {
        const work = (): unknown => secretsOf({ ...ASKED, ...strange });
        const { message } = errorOf(work, 'ADDRESS_REFUSED');
        assert.doesNotMatch(message, /s3cr3t/);
      }
      assert.deepEqual(secretsOf({ ...ASKED, ...at('https://anywhere.org/b.csv') }), {});
      const headed = { ...ASKED, dataset: 'headed', ...at('https://x.org/h.csv', HEADERS) };
      assert.deepEqual(secretsOf(headed), { CITY_TOKEN: 's3cr3t' });
      assert.deepEqual(secretsOf({ ...headed, ...at('https://x.org/h.csv') }), {});
    });
  });

  it('are refused in clear, also in a run that another user started', async () => {
    await withWorker({}, async (secretsOf) => {
      for (const [name, clear] of [
        ['X-Amz-Signature', at('https://x.org/a.csv?X-Amz-Signature=c4n4ry8d2f')],
        ['X-App-Token', at('https://x.org/h.csv', { 'X-App-Token': 'c4n4ry' })],
      ] as const) {
        const work = (): unknown => secretsOf({ ...ASKED, dataset: 'headed', ...clear });
        const { message, details } = errorOf(work, 'ADDRESS_REFUSED');
        assert.ok(message.includes(name) && !message.includes('c4n4ry'), message);
        assert.match(details.hint ?? '', /\$\{CITY_TOKEN\}/);
      }
    });
  });
});

describe('an address of datasets.yaml', () => {
  const problemsOfAddress = (address: string): string[] =>
    problemsOf(`datasets:\n  d:\n    sources:\n      - id: a\n        address: ${address}\n`);

  it('may hold variables in its path and its query', () => {
    for (const good of [
      'https://x.org/${KEY}/a.csv',
      'http://x.org?${QUERY}',
      'https://x.org/?k=${A}${B}',
    ]) {
      assert.deepEqual(problemsOfAddress(good), [], good);
    }
  });

  it('may hold them nowhere else, and none of ours', () => {
    for (const [bad, problem] of [
      ['https://${HOST}/a.csv', /path and the query|not an http/],
      ['https://x.org:${PORT}/a.csv', /path and the query|not an http/],
      ['https://${USER}:${PASSWORD}@x.org/a.csv', /user or password/],
      ['file:///x/${NAME}.csv', /path and the query/],
      ['https://x.org/${year}.csv', /"\$\{year\}" is no variable/],
      ['https://x.org/${}.csv', /is no variable/],
      ['https://x.org/${OPEN', /is no variable/],
      ['https://x.org/?k=${TEMPORAL_API_KEY}', /setting of Longhaul/],
      ['https://x.org/?k=${AWS_SECRET_ACCESS_KEY}', /setting of Longhaul/],
      ['https://x.org/?k=${WORKER_TOKEN}', /setting of Longhaul/],
    ] as const) {
      const problems = problemsOfAddress(bad);
      assert.equal(problems.length, 1, `${bad}: ${problems.join('; ')}`);
      assert.match(problems[0] ?? '', problem);
    }
  });

  it('holds no secret in clear: the line is named, the secret is not, and how it is written', () => {
    const [problem = ''] = problemsOfAddress('https://x.org/a.csv?subscription-key=c4n4ry8d2f');
    assert.match(problem, /^d\.yaml:5 .*subscription-key.*\$\{CITY_TOKEN\}/);
    assert.doesNotMatch(problem, /c4n4ry/);
  });
});
