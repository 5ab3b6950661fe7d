import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLab, type Lab } from '../helpers/lab.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';

let lab: Lab & { close(): Promise<void> };
before(async () => {
  lab = await startLab();
});
after(async () => await lab?.close());

interface Report {
  dataset: string;
  ledger: { rows: number };
}

describe('a CSV file of this machine', () => {
  for (const [typed, file, dataset] of [
    ['./my.csv', 'my.csv', 'my'],
    ['plain.csv', 'plain.csv', 'plain'],
    [
      'in here/Unfälle 100% #2 (neu?).csv',
      'in here/Unfälle 100% #2 (neu?).csv',
      'unfalle-100-2-neu',
    ],
    ['/{date}.csv', '{date}.csv', 'date'],
  ] as const) {
    it(`is ingested by its path: ${typed}`, async () => {
      await mkdir(join(lab.folder, 'in here'), { recursive: true });
      await writeFile(join(lab.folder, file), CSV);
      const path = typed.startsWith('/') ? join(lab.folder, typed) : typed;
      const { code, json, stderr } = await lab.json<Report>(['ingest', path]);
      assert.equal(code, 0, stderr);
      assert.deepEqual([json.dataset, json.ledger.rows], [dataset, 2]);
    });
  }

  it('has the name that it is given', async () => {
    await writeFile(join(lab.folder, '数据.csv'), CSV);
    const nameless = await lab.run(['ingest', '数据.csv']);
    assert.equal(nameless.code, 2);
    assert.match(nameless.stderr, /add --name/);
    const { json } = await lab.json<Report>(['ingest', '数据.csv', '--name', 'data']);
    assert.equal(json.dataset, 'data');
  });

  it('is never what another file of its name was published as', async () => {
    for (const [folder, rows] of [
      ['one', CSV],
      ['two', `${CSV}3,c\r\n`],
    ] as const) {
      await mkdir(join(lab.folder, folder), { recursive: true });
      await writeFile(join(lab.folder, folder, 'same.csv'), rows);
    }
    assert.equal((await lab.run(['ingest', 'one/same.csv'])).code, 0);
    const { code, stderr } = await lab.run(['ingest', 'two/same.csv']);
    assert.equal(code, 2);
    assert.match(stderr, /one\/same\.csv[^]*--name/);
    const again = await lab.json<Report>(['ingest', 'two/same.csv', '--again']);
    assert.equal(again.json.ledger.rows, 3);
  });
});
