import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startOrigin, type Origin } from '../helpers/origin.ts';
import { featuresOf, layerOf, startArcgis } from '../helpers/portal.ts';
import { workplace } from './fake-context.ts';

const CSV = 'id;what\r\n1;5" pipe\r\n2;\r\n';
const MIB = 1024 * 1024;

let origin: Origin;
before(async () => {
  origin = await startOrigin({ '/a.csv': { body: CSV, etag: '"1"' } });
});
after(async () => {
  await origin?.close();
});

describe('longhaul inspect', () => {
  it('says how a file is read, and why', async () => {
    const { exitCode, stdout, stderr } = await workplace().run('inspect', origin.address('/a.csv'));
    assert.equal(exitCode, 0, stderr);
    const facts = stdout.replaceAll(/\n {4,}/g, ' ').replaceAll(/ +/g, ' ');
    assert.match(facts, /\nthe whole file, 24 B: 2 records\n/);
    assert.match(facts, /delimiter ";": 2 fields in 3 of the first 3 records; fields of the first/);
    assert.match(facts, /encoding utf-8: every byte is ASCII\n/);
    assert.match(facts, /header line 1, 2 columns\n/);
    assert.match(facts, /line ends 3 CRLF\n/);
    assert.match(facts, /bare quotes 1 inside unquoted fields, kept as text; the first in line 2/);
    assert.match(facts, /id BIGINT 0% empty "1", "2" all 2 values are integers/);
    assert.match(facts, /what VARCHAR 50\.0% empty "5\\" pipe"/);
  });

  it('fits a terminal of 80 columns, whatever the names and values are', async () => {
    const names = Array.from({ length: 60 }, (_, index) =>
      `A name of the column no. ${index} `.repeat(3),
    );
    const body = `${names.join(',')}\n${names.map((name) => `value ${name.repeat(3)}`).join(',')}\n`;
    const { stdout } = await workplace({ 'wide.csv': body }).run('inspect', './wide.csv');
    const lines = stdout.split('\n').slice(1);
    assert.ok(lines.length > 120);
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
  });

  it('reads the first 16 MiB of an address, and all of it with --all', async () => {
    const body = `a,b\n${'1,some text in a field\n'.repeat(900_000)}`;
    const path = origin.serve({ body, etag: '"1"' });
    const place = workplace();
    const [head, all] = [[], ['--all']].map(
      async (flags) => await place.run('inspect', origin.address(path), '--json', ...flags),
    );
    const [first] = JSON.parse((await head)?.stdout ?? '').files;
    assert.deepEqual([first.isWhole, first.totalBytes], [false, body.length]);
    assert.ok(first.bytes <= 16 * MIB && first.bytes > 16 * MIB - 100);
    const [whole] = JSON.parse((await all)?.stdout ?? '').files;
    assert.deepEqual([whole.isWhole, whole.records], [true, 900_000]);
  });

  it('reports a file that a run would refuse, with the exit code of that', async () => {
    const address = origin.address(origin.serve({ body: 'a,b\n1,2\n3\n' }));
    const { exitCode, stdout } = await workplace().run('inspect', address);
    assert.equal(exitCode, 5);
    assert.match(stdout, /a {2}BIGINT[^]*a run would stop:\nSOURCE_RAGGED[^]*record 2/);
  });

  it("reads a source of datasets.yaml as its keys say, and a portal's table as a run does", async () => {
    const portal = await startArcgis();
    try {
      const layer = portal.serve(
        layerOf(featuresOf(9, (id) => ({ OBJECTID: id, name: `n${id}` }))),
      );
      const yaml = `datasets:
  things:
    sources:
      - { id: file, address: "${origin.address('/a.csv')}", header: false }
      - { id: layer, address: "${layer}" }
`;
      const place = workplace({ 'datasets.yaml': yaml });
      const { stdout, exitCode } = await place.run('inspect', 'things', '--json');
      assert.equal(exitCode, 0);
      const [file, table] = JSON.parse(stdout).files;
      assert.deepEqual(
        file.columns.map(({ name }: { name: string }) => name),
        ['column_1', 'column_2'],
      );
      assert.deepEqual([table.source, table.records, table.isCanonical], ['layer', 9, true]);
      const one = JSON.parse(
        (await place.run('inspect', 'things', '--source', 'layer', '--json')).stdout,
      );
      assert.equal(one.files.length, 1);
      assert.ok(!existsSync(join(place.cwd, 'data', '.longhaul')));
    } finally {
      await portal.close();
    }
  });

  for (const [args, code] of [
    [['nosuch'], 'DATASET_UNKNOWN'],
    [['things', '--source', 'x'], 'USAGE'],
    [['./none.csv'], 'SOURCE_NOT_FOUND'],
    [['http://127.0.0.1/a.csv', '--source', 'x'], 'USAGE'],
    [['https://example.com/x.csv?api_token=abcdef123456'], 'ADDRESS_REFUSED'],
  ] as const) {
    it(`refuses ${args.join(' ')}`, async () => {
      const yaml = 'datasets: { things: { sources: [{ id: a, address: "http://h/a.csv" }] } }\n';
      const { stdout } = await workplace({ 'datasets.yaml': yaml }).run(
        'inspect',
        ...args,
        '--json',
      );
      assert.equal(JSON.parse(stdout).error.code, code);
    });
  }
});
