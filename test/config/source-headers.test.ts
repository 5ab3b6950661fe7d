import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addressSecrets } from '../../src/config/address-secrets.ts';
import { parseDatasets } from '../../src/config/load-datasets.ts';
import type { SourceSpec } from '../../src/model/dataset.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { errorOf, problemsOf as problemsIn } from './config-files.ts';

const ADDRESS = 'https://data.city.gov/d/jx86-2vch';

function withSource(lines: string, address = ADDRESS): string {
  const source = `      - id: a\n        address: ${address}\n${lines}`;
  return `datasets:\n  d:\n    sources:\n${source}`;
}

const problemsOf = (lines: string, address?: string): string[] =>
  problemsIn(withSource(lines, address));

describe('headers of a source', () => {
  it('are sent with the names of their variables until a worker asks', () => {
    const { datasets, problems } = parseDatasets(
      withSource(
        [
          '        headers:',
          '          X-App-Token: ${SODA_TOKEN}',
          '          Authorization: Bearer ${CITY_KEY}',
          '          Accept-Language: en',
          '        geometry: wkt',
        ].join('\n'),
      ),
      'd.yaml',
    );
    assert.deepEqual(problems, []);
    const [source] = datasets[0]?.sources ?? [];
    assert.deepEqual(source?.headers, {
      'X-App-Token': '${SODA_TOKEN}',
      Authorization: 'Bearer ${CITY_KEY}',
      'Accept-Language': 'en',
    });
    assert.equal(source?.geometry, 'wkt');
  });

  it('hold no secret in clear: the line is named, the secret is not, and how it is written', () => {
    for (const name of [
      'X-App-Token',
      'Authorization',
      'Cookie',
      'Ocp-Apim-Subscription-Key',
      'X-Api-Key',
    ]) {
      const [problem = '', ...others] = problemsOf(
        `        headers:\n          ${name}: c4n4ry8d2f`,
      );
      assert.match(problem, new RegExp(`^d\\.yaml:7 .*${name}.*\\$\\{CITY_TOKEN\\}`));
      assert.doesNotMatch(problem, /c4n4ry/);
      assert.deepEqual(others, []);
    }
  });

  it('are not the ones that Longhaul sets itself, and no file has any', () => {
    for (const name of [
      'Host',
      'range',
      'If-Range',
      'Accept-Encoding',
      'Content-Length',
      'connection',
    ]) {
      const [problem = ''] = problemsOf(`        headers:\n          ${name}: x`);
      assert.match(problem, /a header that Longhaul sets itself/, name);
    }
    assert.match(
      problemsOf('        headers: { Accept: text/csv }', 'file:///a.csv')[0] ?? '',
      /a file has no headers/,
    );
  });

  it('are headers of HTTP, and their variables no settings', () => {
    for (const [header, problem] of [
      ['"bad name": x', /is no name of an HTTP header/],
      ['X-A: "a\\r\\nX-B: b"', /must be printable ASCII/],
      ['X-A: Zürich', /must be printable ASCII/],
      ['X-A: ${AWS_SECRET_ACCESS_KEY}', /setting of Longhaul or of AWS/],
      ['X-A: ${TEMPORAL_API_KEY}', /setting of Longhaul or of AWS/],
      ['X-A: ${WORKER_TOKEN}', /setting of Longhaul or of AWS/],
      ['X-A: ${token}', /is no variable/],
      ['X-A: ${OPEN', /is no variable/],
      ['- X-A', /must be a map of headers/],
    ] as const) {
      const problems = problemsOf(`        headers:\n          ${header}`);
      assert.equal(problems.length, 1, `${header}: ${problems.join('; ')}`);
      assert.match(problems[0] ?? '', problem);
    }
  });
});

it('a geometry is one that portals can give', () => {
  assert.match(problemsOf('        geometry: shape')[0] ?? '', /must be one of none, xy, wkt/);
});

describe('the secrets of headers', () => {
  const headers = { 'X-App-Token': '${SODA_TOKEN}' };
  const ofRun = (source: Partial<SourceSpec>) => ({
    dataset: 'd',
    ingestDate: '2026-11-28',
    source: { id: 'a', address: ADDRESS, optional: false, overrides: {}, ...source },
  });

  async function withWorker(body: (of: ReturnType<typeof addressSecrets>) => void): Promise<void> {
    await withTempFolder(async (folder) => {
      const file = join(folder, 'datasets.yaml');
      const source = `{ id: a, address: "${ADDRESS}", headers: { X-App-Token: "\${SODA_TOKEN}" } }`;
      await writeFile(file, `datasets:\n  d:\n    sources:\n      - ${source}\n`);
      body(addressSecrets(file, { env: { SODA_TOKEN: 's3cr3t' }, cwd: folder }));
    });
  }

  const refusedBy = (work: () => unknown): string => errorOf(work, 'ADDRESS_REFUSED').message;

  it("go with exactly the address and headers of the worker's datasets.yaml", async () => {
    await withWorker((secretsOf) => {
      assert.deepEqual(secretsOf(ofRun({ headers })), { SODA_TOKEN: 's3cr3t' });
      const others: Partial<SourceSpec>[] = [
        { headers, address: 'https://evil.org/d/jx86-2vch' },
        { headers: { ...headers, 'X-Other': '${SODA_TOKEN}' } },
        { headers: { 'X-Echo': '${SODA_TOKEN}' } },
      ];
      for (const strange of others) {
        assert.doesNotMatch(
          refusedBy(() => secretsOf(ofRun(strange))),
          /s3cr3t/,
        );
      }
      assert.deepEqual(secretsOf(ofRun({})), {});
    });
  });

  it('are refused in clear, also in a run that another user started', async () => {
    await withWorker((secretsOf) => {
      const message = refusedBy(() => secretsOf(ofRun({ headers: { 'X-App-Token': 'c4n4ry' } })));
      assert.match(message, /X-App-Token/);
      assert.doesNotMatch(message, /c4n4ry/);
    });
  });
});
