import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDatasets } from '../../src/config/load-datasets.ts';
import { problemsOf as problemsIn } from './config-files.ts';

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
    const names = ['X-App-Token', 'Authorization', 'Cookie', 'X-Api-Key'];
    for (const name of [...names, 'Ocp-Apim-Subscription-Key']) {
      const [problem = '', ...others] = problemsOf(
        `        headers:\n          ${name}: c4n4ry8d2f`,
      );
      assert.match(problem, new RegExp(`^d\\.yaml:7 .*${name}.*\\$\\{CITY_TOKEN\\}`));
      assert.doesNotMatch(problem, /c4n4ry/);
      assert.deepEqual(others, []);
    }
  });

  it('are not the ones that Longhaul sets itself, and no file has any', () => {
    const names = ['Host', 'range', 'If-Range', 'Content-Length', 'connection'];
    for (const name of [...names, 'Accept-Encoding']) {
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
