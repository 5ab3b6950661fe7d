import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { exitCodeOf, type ErrorCode } from '../../src/model/errors.ts';
import { featuresOf, layerOf, startArcgis, type ArcgisServer } from '../helpers/portal.ts';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { datastoreOf, RESOURCE, resourceOf, serveCkan } from '../helpers/portals/ckan.ts';
import { workplace, type Workplace, type Ran } from './fake-context.ts';

const CSV = 'ID,Zip,Planted On\r\n1,02134,2020-05-17\r\n2,N/A,\r\n';
const BEFORE = `# Mine.
datasets:
  trees:   # all of them
    sources:
    - id: all
      address: "https://example.com/other.csv"
`;

let origin: Origin;
let portal: ArcgisServer;
before(async () => {
  origin = await startOrigin({ '/Street_Trees.csv': { body: CSV, etag: '"1"' } });
  portal = await startArcgis();
});
after(async () => {
  await origin?.close();
  await portal?.close();
});

interface Written {
  time_zone: string;
  schedule?: object;
  sources: { id: string; address: string; headers?: object; geometry?: string }[];
}

function datasetOf(place: Workplace, name: string): Written {
  return parse(readFileSync(join(place.cwd, 'datasets.yaml'), 'utf8')).datasets[name];
}

function errorOf({ stdout }: Ran): { code: string; message: string; hint: string } {
  return JSON.parse(stdout).error;
}

describe('longhaul add of a CSV file', () => {
  it('shows the columns of its first MiB, writes the entry, and says what is next', async () => {
    const place = workplace();
    const address = origin.address('/Street_Trees.csv');
    const { exitCode, stdout, stderr } = await place.run('add', address, '--schedule', 'every: 6h');
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /read as {2}utf-8 \(found\), comma \(found\)/);
    assert.match(stdout, /3 columns \(types of the whole file\)/);
    assert.match(stdout, /zip +VARCHAR +02134\n/);
    assert.match(stdout, /planted_on +DATE %Y-%m-%d +2020-05-17\n/);
    assert.match(stdout, /Added to datasets\.yaml:[^]*Next: longhaul ingest street-trees\n$/);
    const { time_zone, ...dataset } = datasetOf(place, 'street-trees');
    assert.equal(time_zone, new Intl.DateTimeFormat().resolvedOptions().timeZone);
    assert.deepEqual(dataset, { schedule: { every: '6h' }, sources: [{ id: 'all', address }] });
    assert.equal((await place.run('datasets')).exitCode, 0);
  });

  it('says that of a long file the first MiB alone was read, and reads no more', async () => {
    const path = origin.serve({ body: `a,b\n${'1,x\n'.repeat(500_000)}`, etag: '"1"' });
    const { stdout } = await workplace().run('add', origin.address(path), '--name', 'long');
    assert.match(stdout, /2 columns \(types of the first MiB only; a run finds them in the whole/);
    assert.deepEqual(
      origin.requestsTo(path).map(({ range }) => range),
      ['bytes=0-1048575'],
    );
  });

  it('keeps comments and form of what is there, and the link that leads to it', async () => {
    const place = workplace({ 'real.yaml': BEFORE });
    symlinkSync('real.yaml', join(place.cwd, 'datasets.yaml'));
    const { exitCode } = await place.run('add', origin.address('/Street_Trees.csv'));
    assert.equal(exitCode, 0);
    assert.ok(lstatSync(join(place.cwd, 'datasets.yaml')).isSymbolicLink());
    assert.ok(readFileSync(join(place.cwd, 'real.yaml'), 'utf8').startsWith(`${BEFORE}\n  street`));
    assert.deepEqual(readdirSync(place.cwd).toSorted(), ['datasets.yaml', 'real.yaml']);
  });

  it('takes a file of this machine, by its path', async () => {
    const place = workplace({ 'my trees.csv': CSV });
    const { exitCode, stdout } = await place.run('add', './my trees.csv', '--json');
    assert.equal(exitCode, 0);
    const { name, view, csv } = JSON.parse(stdout);
    assert.deepEqual([name, view, csv.isWhole, csv.records], ['my-trees', 'my_trees', true, 2]);
    assert.match(
      datasetOf(place, 'my-trees').sources[0]?.address ?? '',
      /^file:.*\/my%20trees\.csv$/,
    );
    assert.ok(!existsSync(join(place.cwd, 'data')), 'a look at a file makes no lake');
  });

  it('sends headers with the secrets that the environment has, and writes their names only', async () => {
    const path = origin.serve((_, { headers }) =>
      headers['x-app-token'] === 's3cret-value' ? { body: CSV } : { status: 403 },
    );
    const place = workplace({}, { APP_TOKEN: 's3cret-value' });
    const header = 'X-App-Token: ${APP_TOKEN}';
    const args = ['add', origin.address(path), '--name', 'trees', '--header', header];
    const { exitCode, stdout } = await place.run(...args);
    assert.equal(exitCode, 0);
    assert.ok(!stdout.includes('s3cret-value'));
    assert.deepEqual(datasetOf(place, 'trees').sources[0]?.headers, {
      'X-App-Token': '${APP_TOKEN}',
    });
    const missing = await workplace().run(...args, '--json');
    assert.equal(errorOf(missing).code, 'SECRET_MISSING');
  });

  it('adds what a key of datasets.yaml must settle, and says which', async () => {
    const place = workplace();
    const tie = origin.serve({ body: 'a;b|c\n1;2|3\n4;5|6\n' });
    const unclear = await place.run('add', origin.address(tie), '--name', 'tie');
    assert.equal(unclear.exitCode, 0);
    assert.match(unclear.stdout, /a run would stop:\nSOURCE_DELIMITER_UNCLEAR[^]*`delimiter: ";"`/);
    const path = origin.serve({ body: '1,2020-01-01\n2,2020-01-02\n3,2020-01-03\n' });
    const { exitCode, stdout } = await place.run('add', origin.address(path), '--name', 'bare');
    assert.equal(exitCode, 0);
    assert.match(stdout, /a run would stop:\nSOURCE_HEADER_UNCLEAR[^]*`header: false`/);
    assert.equal(datasetOf(place, 'bare').sources.length, 1);
  });

  it('shows nothing of what a publisher wrote that would move the cursor', async () => {
    const body = 'na\u001b[2Jme,b\nx\u009by\u001b[31m,1\nz,2\n';
    const address = origin.address(origin.serve({ body }));
    for (const flags of [[], ['--json']]) {
      const { exitCode, stdout } = await workplace().run('add', address, '--name', 'x', ...flags);
      assert.equal(exitCode, 0);
      assert.doesNotMatch(stdout, /[\u001b\u009b]/);
    }
  });
});

describe("longhaul add of a portal's page", () => {
  const table = () =>
    layerOf(
      featuresOf(40, (id) => ({ OBJECTID: id, name: `n${id}` })),
      undefined,
      {
        name: 'Bäume der Stadt \u001b[2J',
        copyrightText: 'Stadt X, CC BY 4.0',
      },
    );

  it('shows what the portal says of the table, and names the dataset by its title', async () => {
    const place = workplace();
    const address = portal.serve(table());
    const { exitCode, stdout, stderr } = await place.run('add', address, '--geometry', 'none');
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^Bäume der Stadt \\u001b\[2J\n/);
    assert.match(stdout, /records +40\n[^]*a run reads +the table page by page\n/);
    assert.match(stdout, /OBJECTID +esriFieldTypeOID +1\n {2}name +esriFieldTypeString +n1\n/);
    const [source] = datasetOf(place, 'baume-der-stadt-u001b-2j').sources;
    assert.deepEqual(source, { id: 'all', address, geometry: 'none' });
  });

  it('shows the columns of the file that a page leads to', async () => {
    const place = workplace();
    const file = origin.address('/Street_Trees.csv');
    const ckan = { ...datastoreOf([], []) };
    ckan.dataset.resources = [resourceOf({ id: RESOURCE, format: 'CSV', url: file })];
    const { exitCode, stdout } = await place.run('add', serveCkan(origin, ckan), '--name', 'works');
    assert.equal(exitCode, 0);
    assert.match(stdout, /licence +Creative Commons Attribution\n[^]*a run reads +a file\n/);
    assert.match(stdout, /planted_on +DATE %Y-%m-%d +2020-05-17\n/);
  });

  it('lists the tables of an address that leads to several, and writes nothing', async () => {
    const place = workplace();
    const [one, two] = [table(), table()];
    two.metadata['id'] = 1;
    const address = portal.serve(one, two);
    const { exitCode, stdout } = await place.run('add', address);
    assert.equal(exitCode, 4);
    assert.ok(stdout.includes(`longhaul add ${address}/0\n`), stdout);
    assert.ok(stdout.includes(`longhaul add ${address}/1\n`), stdout);
    const json = await place.run('add', address, '--json');
    assert.equal(json.exitCode, 4);
    assert.equal(errorOf(json).code, 'ADDRESS_AMBIGUOUS');
    assert.equal(JSON.parse(json.stdout).choices.length, 2);
    assert.ok(!existsSync(join(place.cwd, 'datasets.yaml')));
  });
});

describe('longhaul add refuses, and writes nothing', () => {
  const AT = 'https://example.com/x.csv';
  const refusals: [string, string[], ErrorCode, RegExp][] = [
    ['a secret in clear', [`${AT}?api_token=abcdef123456`], 'ADDRESS_REFUSED', /\$\{CITY_TOKEN\}/],
    ['a secret in a header', [AT, '--header', 'X-App-Token: abc'], 'USAGE', /looks like a secret/],
    ['a user', ['https://u:p@example.com/x.csv'], 'ADDRESS_REFUSED', /user or password/],
    ['another protocol', ['ftp://example.com/x.csv'], 'ADDRESS_REFUSED', /ftp/],
    ['a template', ['https://example.com/{year}.csv'], 'USAGE', /\{year\}/],
    ['an unknown schedule', [AT, '--schedule', 'every: often'], 'USAGE', /minutes, hours or days/],
    ['a schedule that is no YAML', [AT, '--schedule', '{'], 'USAGE', /no YAML/],
    ['no name of a dataset', [AT, '--name', 'A b'], 'NAME_INVALID', /A b/],
    ['no id of a source', [AT, '--id', '../x'], 'NAME_INVALID', /source id/],
    ['a name that is taken', [AT, '--name', 'trees'], 'USAGE', /--name trees-2/],
    ['a file that is not there', ['./none.csv'], 'SOURCE_NOT_FOUND', /none\.csv/],
  ];
  for (const [what, args, code, says] of refusals) {
    it(what, async () => {
      const place = workplace({ 'datasets.yaml': BEFORE });
      const ran = await place.run('add', ...args, '--json');
      const error = errorOf(ran);
      assert.equal(error.code, code);
      assert.equal(ran.exitCode, exitCodeOf(code));
      assert.match(`${error.message} ${error.hint}`, says);
      assert.equal(readFileSync(join(place.cwd, 'datasets.yaml'), 'utf8'), BEFORE);
    });
  }

  it('an address that answers with no CSV file', async () => {
    const page = origin.address(origin.serve({ body: '<!doctype html><html></html>' }));
    const gone = origin.address('/gone.csv');
    for (const [address, code] of [
      [page, 'SOURCE_IS_HTML'],
      [gone, 'SOURCE_NOT_FOUND'],
    ] as const) {
      const place = workplace();
      const ran = await place.run('add', address, '--name', 'x', '--json');
      assert.equal(errorOf(ran).code, code);
      assert.ok(!existsSync(join(place.cwd, 'datasets.yaml')));
    }
  });

  it('a file with errors, whose line it names', async () => {
    const place = workplace();
    const text = 'datasets:\n  trees:\n    sorces: []\n';
    writeFileSync(join(place.cwd, 'datasets.yaml'), text);
    const { exitCode, stderr } = await place.run('add', origin.address('/Street_Trees.csv'));
    assert.equal(exitCode, 2);
    assert.match(stderr, /datasets\.yaml:3: "sorces" is not known here; did you mean sources\?/);
    assert.equal(readFileSync(join(place.cwd, 'datasets.yaml'), 'utf8'), text);
  });

  it('a geometry where there is no layer', async () => {
    const place = workplace();
    const args = ['add', origin.address('/Street_Trees.csv'), '--geometry', 'xy', '--json'];
    assert.match(errorOf(await place.run(...args)).message, /layers of ArcGIS/);
    assert.ok(!existsSync(join(place.cwd, 'datasets.yaml')));
  });
});
