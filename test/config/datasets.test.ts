import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { loadDatasets, parseDatasets } from '../../src/config/load-datasets.ts';
import { asJson } from '../helpers/as-json.ts';
import { problemsOf } from './config-files.ts';

function withSource(...lines: string[]): string {
  return ['datasets:', '  d:', '    sources:', ...lines.map((line) => `      ${line}`)].join('\n');
}

void test('the datasets that the project ships load, with a source for every year', () => {
  const datasets = loadDatasets(fileURLToPath(new URL('../../datasets.yaml', import.meta.url)));
  assert.deepEqual(
    datasets.map(({ name, timeZone, sources }) => [name, timeZone, sources.map(({ id }) => id)]),
    [
      ['denver-311', 'America/Denver', '2015 2019 2020 2021 2022 2023 2024 2025'.split(' ')],
      ['denver-311-recent', 'America/Denver', ['all']],
      ['denver-traffic-accidents', 'America/Denver', ['all']],
      ['denver-crime', 'America/Denver', ['all']],
    ],
  );
  const sources = datasets[0]?.sources ?? [];
  assert.equal(
    sources.find(({ id }) => id === '2025')?.address,
    'https://opendata-geospatialdenver.hub.arcgis.com/datasets/5bdb9b3033d74782a4c410e548887ede/explore',
  );
});

void test('a template writes one source a year, from a list or from a map of items', () => {
  const { datasets, problems } = parseDatasets(
    withSource(
      '- years: [2019, 2020]',
      '  id: y-{year}',
      '  address: http://h/{year}.csv',
      '  encoding: windows-1252',
      '- years: { 2021: 12e45, 2022: true }',
      '  address: http://h/{item}/csv',
      '  optional: true',
    ),
    'd.yaml',
  );
  assert.deepEqual(problems, []);
  const old = { optional: false, overrides: { encoding: 'windows-1252' } };
  assert.deepEqual(asJson(datasets[0]?.sources), [
    { id: 'y-2019', address: 'http://h/2019.csv', ...old },
    { id: 'y-2020', address: 'http://h/2020.csv', ...old },
    { id: '2021', address: 'http://h/12e45/csv', optional: true, overrides: {} },
    { id: '2022', address: 'http://h/true/csv', optional: true, overrides: {} },
  ]);
  assert.equal(datasets[0]?.timeZone, 'UTC');
});

void test('types are words, or a type with a format of the fixed list; aliases are names', () => {
  const { datasets, problems } = parseDatasets(
    withSource(
      '- id: a',
      '  address: http://h/',
      '  delimiter: "\\t"',
      '  header: false',
      '  aliases: { zip_code: zip }',
      '  types:',
      '    zip: text',
      '    day: { type: date, format: "%d/%m/%Y" }',
    ),
    'd.yaml',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(asJson(datasets[0]?.sources[0]?.overrides), {
    delimiter: '\t',
    header: false,
    aliases: { zip_code: 'zip' },
    types: { zip: { type: 'VARCHAR' }, day: { type: 'DATE', format: '%d/%m/%Y' } },
  });
});

void test('how long a dataset keeps its days, in its time zone', () => {
  const text = [
    'datasets:',
    '  a: { time_zone: America/Denver, keep: { raw: 30d, days: 400 }, sources: [SOURCE] }',
    '  b: { keep: { days: 1 }, sources: [SOURCE] }',
    '  c: { sources: [SOURCE] }',
  ].join('\n');
  const { keep, problems } = parseDatasets(
    text.replaceAll('SOURCE', '{ id: x, address: "http://h/" }'),
    'd.yaml',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(keep, [
    { dataset: 'a', timeZone: 'America/Denver', days: 400, rawDays: 30 },
    { dataset: 'b', timeZone: 'UTC', days: 1 },
  ]);
});

for (const [keep, expected] of [
  ['{ days: 0 }', 'd.yaml:3 "days" must be a whole number of days from 1'],
  ['{ days: 30d }', 'd.yaml:3 "days" must be a whole number of days from 1'],
  ['{ raw: 30 }', 'd.yaml:3 "raw" must be days: 30d'],
  ['{ raw: 36h }', 'd.yaml:3 "raw" must be days: 30d'],
  ['30d', 'd.yaml:3 "keep" must be a map'],
  ['{ day: 3 }', 'd.yaml:3 "day" is not known here; did you mean days?'],
] as const) {
  void test(`keep: ${keep} is refused`, () => {
    const sources = '    sources: [{ id: x, address: "http://h/" }]';
    assert.deepEqual(problemsOf(`datasets:\n  d:\n    keep: ${keep}\n${sources}`), [expected]);
  });
}

void test('every mistake of form is named with its line', () => {
  const problems = problemsOf(
    [
      'datasets:',
      '  d:',
      '    time_zone: Mars/Olympus',
      '    sources:',
      '      - id: 2015',
      '        adress: http://h/',
      '        optional: yes',
      '      - id: b',
      '        address: http://h/',
      '        types: { x: int, y: { type: date, format: "%q" } }',
      '        delimiter: "||"',
      '  e: 3',
    ].join('\n'),
  );
  assert.deepEqual(problems.toSorted(), [
    'd.yaml:10 "format" must be one of %Y-%m-%d, %Y/%m/%d, %m/%d/%Y, %d/%m/%Y, %d.%m.%Y',
    'd.yaml:10 "x" must be one of bigint, double, date, timestamp, text',
    'd.yaml:11 "delimiter" must be one ASCII character, and no quote',
    'd.yaml:12 "e" must be a map',
    'd.yaml:3 "time_zone" must be a time zone such as America/Denver',
    'd.yaml:5 "address" is missing',
    'd.yaml:6 "adress" is not known here; did you mean address?',
    'd.yaml:7 "optional" must be true or false',
  ]);
});

const A = 'id: a, address: "http://h/"';

for (const [what, lines, expected] of [
  ['a password in an address', '- { id: a, address: "http://u:pw@h/" }', /user or password/],
  ['another scheme', '- { id: a, address: "ftp://h/" }', /not an http\(s\) address/],
  ['an id that leaves the lake', '- { id: ../x, address: "http://h/" }', /not a source id/],
  ['a constant template', '- { years: [2019, 2020], address: "http://h/" }', /\{year\} is missing/],
  ['an unknown placeholder', '- { years: [2019], address: "http://h/{item}" }', /here is \{year\}/],
  ['no years', '- { id: a, address: "http://h/{year}" }', /only a source with years/],
  ['a source without id', '- { address: "http://h/" }', /"id" is missing/],
  ["a publisher's name in types", `- { ${A}, types: { Case Id: text } }`, /write case_id/],
  ["a publisher's name in aliases", `- { ${A}, aliases: { zip: Zip Code } }`, /write zip_code/],
  ['a duplicate id', `- { ${A} }\n      - { id: A, address: "http://h/" }`, /there already/],
  ['a duplicate key', `- { ${A}, id: b }`, /unique/],
] as const) {
  void test(`${what} is refused`, () => {
    const problems = problemsOf(withSource(lines));
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', expected);
    assert.doesNotMatch(problems[0] ?? '', /u:pw/);
  });
}

for (const name of ['../..', 'Denver', 'denver_311', 'x-history', 'x-versions', 'x-days']) {
  void test(`a dataset cannot be called ${name}`, () => {
    const text = `datasets:\n  "${name}":\n    sources: [{ id: a, address: "http://h/" }]\n`;
    assert.match(problemsOf(text).join('\n'), /^d\.yaml:2 /);
  });
}

void test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const { datasets, problems } = parseDatasets(text, 'd.yaml');
      assert.ok(datasets.length > 0 || problems.length > 0 || text.includes('datasets'));
    }),
  );
});

void test('no structure makes the reader throw', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (inner) => {
      const texts = [`datasets: ${inner}`, `datasets: { d: ${inner} }`, withSource(`- ${inner}`)];
      for (const text of texts) assert.ok(Array.isArray(parseDatasets(text, 'd.yaml').problems));
    }),
  );
});
