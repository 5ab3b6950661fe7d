import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '../../src/model/errors.ts';
import type { IngestResult } from '../../src/model/run.ts';
import type { Answer, Route } from '../helpers/origin.ts';
import { startLab, withLab, type Lab } from '../helpers/lab.ts';
import { withSmallDisk } from '../helpers/small-disk.ts';

const GOOD = 'id,name\r\n1,a\r\n2,b\r\n';
/** The file is larger than the probe reads, so faults happen during the landing. */
const LARGE = `id,name\r\n${Array.from({ length: 400_000 }, (_, n) => `${n},name ${scatter(n)}`).join('\r\n')}\r\n`;
const LARGE_RECORDS = 400_000;

/** Returns text that does not compress well. */
function scatter(n: number): string {
  return ((n * 2_654_435_761) % 4_294_967_296).toString(36);
}

interface Failure {
  error: { code: ErrorCode; message: string; hint: string; retryable: boolean; source?: string };
}

const METADATA = 'http://169.254.169.254/latest/meta-data/';

/** What it is called, the address or what the publisher answers, the error's code, and what its message says. */
const BAD: [string, string | Route, ErrorCode, RegExp?][] = [
  ['no such host', 'http://no-such-host.invalid/a.csv', 'SOURCE_NO_SUCH_HOST'],
  ['a port without a server', 'http://127.0.0.1:1/a.csv', 'SOURCE_UNREACHABLE'],
  ['404', { status: 404 }, 'SOURCE_NOT_FOUND'],
  ['403', { status: 403 }, 'SOURCE_FORBIDDEN'],
  ['500 for good', { status: 500 }, 'SOURCE_UNAVAILABLE'],
  ['a body cut short', { body: LARGE, cutAfterBytes: 2_000_000 }, 'SOURCE_TRUNCATED'],
  ['a stall', { body: LARGE, stallAfterBytes: 2_000_000 }, 'SOURCE_STALLED'],
  ['a redirect loop', { redirect: '/loop.csv' }, 'SOURCE_REDIRECT_LOOP'],
  ['a link-local address', METADATA, 'ADDRESS_REFUSED'],
  ['a redirect to one', { redirect: METADATA }, 'ADDRESS_REFUSED'],
  ['an HTML page', { body: '<!DOCTYPE html><html><body>Log in</body></html>' }, 'SOURCE_IS_HTML'],
  ['a gzip file', { body: gzipSync(GOOD) }, 'SOURCE_COMPRESSED'],
  ['a zip file', { body: Buffer.from('504b030414000000', 'hex') }, 'SOURCE_COMPRESSED'],
  ['an empty file', { body: '' }, 'SOURCE_EMPTY'],
  ['ragged rows', { body: 'a,b\n1,2\n3\n4,5,6\n' }, 'SOURCE_RAGGED', /record 2.*byte 8/is],
  ['a quote that never closes', { body: 'a,b\n1,"x\n2,y\n' }, 'SOURCE_QUOTING', /byte 6/i],
  [
    'one column instead of a table',
    { body: 'Report 2019\nid;name\n1;Ann\n2;Bob\n' },
    'SOURCE_DELIMITER_UNCLEAR',
    /";"/,
  ],
  [
    'semicolons at the end of every record',
    { body: 'id;name;amount\n1;Ann;5.00;\n2;Bob;6.10;\n' },
    'SOURCE_RAGGED',
    /record 1 \(line 2, byte 15\).*delimiter ";"/,
  ],
  [
    'moved cells',
    { body: 'id,price,name,text\n1,$5.00,"Ann","x"\n2,$6.10"Bob, Jr","z"\n' },
    'SOURCE_QUOTING',
    /record 2 \(line 3, byte 44\)/,
  ],
  ['no header', { body: '1,Ann,5.00\n2,Bob,6.10\n' }, 'SOURCE_HEADER_UNCLEAR'],
  [
    'Mac Roman',
    { body: Buffer.from('id,name\n1,Chlo\x91\n', 'latin1') },
    'SOURCE_ENCODING_UNCLEAR',
    /Mac Roman/,
  ],
  ['NUL bytes', { body: `${GOOD}3,\0\r\n` }, 'SOURCE_HAS_NUL', /2[0-9]/],
  [
    'an unclear encoding',
    { body: Buffer.concat([Buffer.from('a\nné\n'), Buffer.from([0x92, 0x0a])]) },
    'SOURCE_ENCODING_UNCLEAR',
    /byte 6/i,
  ],
];

async function failing(
  lab: Lab,
  address: string,
  env?: Record<string, string>,
): Promise<Failure['error']> {
  await lab.datasets({ bad: { a: address } });
  const { code, json, stderr } = await lab.json<Failure>(['ingest', 'bad'], env ? { env } : {});
  assert.notEqual(code, 0);
  assert.ok(json.error, `no error: ${JSON.stringify(json)} ${stderr}`);
  assert.deepEqual(await lab.published(), []);
  return json.error;
}

describe('bad input ends in a clear error, with nothing published', () => {
  it('whatever the publisher does, and where the lake cannot be written', async (t) => {
    await withLab({}, async (lab) => {
      lab.origin.set('/loop.csv', { redirect: '/loop.csv' });
      const sources = BAD.map(([, what], n) => {
        if (typeof what === 'string') return [`bad${n}`, { a: what }] as const;
        lab.origin.set(`/${n}/a.csv`, what);
        return [`bad${n}`, { a: lab.origin.address(`/${n}/a.csv`) }] as const;
      });
      await lab.datasets(Object.fromEntries(sources));
      const { code, json, stderr } = await lab.json<{ runs: (Failure & { dataset: string })[] }>([
        ...['ingest', ...sources.map(([name]) => name), '--concurrency', '4'],
      ]);
      assert.notEqual(code, 0);
      assert.deepEqual(await lab.published(), []);
      for (const [n, [name, , expected, says = /./]] of BAD.entries()) {
        await t.test(name, () => {
          const { error } = json.runs.find(({ dataset }) => dataset === `bad${n}`) ?? {};
          assert.ok(error, `no error: ${JSON.stringify(json)} ${stderr}`);
          assert.equal(error.code, expected, error.message);
          assert.ok(error.hint.length > 0);
          assert.equal(error.source, 'a');
          assert.match(error.message, says);
        });
      }
      lab.origin.set('/good.csv', { body: GOOD });
      const converted = join(lab.lakeDir, 'takehome-converted');
      await rm(converted, { recursive: true, force: true });
      await writeFile(converted, 'a file where a folder should be');
      const error = await failing(lab, lab.origin.address('/good.csv'));
      assert.equal(error.code, 'LAKE_NOT_WRITABLE', error.message);
    });
  });

  it('and the setting that its hint names leads to a published day, which says how it was read', async () => {
    const body = '1;"5"" pipe";1,5\n2;6" pipe;2,5\n';
    await withLab({ routes: { '/a.csv': { body } } }, async (lab) => {
      const address = lab.origin.address('/a.csv');
      const error = await failing(lab, address);
      assert.equal(error.code, 'SOURCE_HEADER_UNCLEAR');
      assert.match(error.hint, /`header: false`/);
      // If the settings count a landed file otherwise, Longhaul counts it again but does not download it again.
      await lab.datasets({ bad: { a: { address, header: true } } });
      assert.equal((await lab.json<IngestResult>(['land', 'bad'])).json.ledger.records, 1);
      lab.origin.set('/a.csv', { status: 500 });
      await lab.datasets({ bad: { a: { address, header: false } } });
      const { code, json } = await lab.json<IngestResult>(['convert', 'bad']);
      assert.equal(code, 0, JSON.stringify(json));
      assert.equal(json.ledger.rows, 2);
      assert.deepEqual(json.sources[0]?.csv, {
        ...{ delimiter: ';', delimiterFrom: 'found', encoding: 'utf-8', encodingFrom: 'found' },
        header: false,
        bareQuotes: { count: 1, examples: [{ record: 2, line: 2, byteOffset: 20 }] },
      });
      assert.equal((await lab.json(['verify', 'bad'])).code, 0);
    });
  });

  it('a disk that is full while converting, after which a retry goes on', async (t) => {
    const route = { body: LARGE, etag: '"1"' };
    await withLab({ routes: { '/a.csv': route } }, async (lab) => {
      const disk = { folder: join(lab.lakeDir, 'takehome-converted'), size: '600k' };
      await withSmallDisk(t, disk, async ({ grow }) => {
        try {
          const error = await failing(lab, lab.origin.address('/a.csv'));
          assert.equal(error.code, 'DISK_FULL', error.message);
          grow('80m');
          const asked = lab.origin.requestsTo('/a.csv').filter((request) => !request.range).length;
          const { code, json } = await lab.json<Good>(['ingest', 'bad']);
          assert.deepEqual([code, json.ledger.rows], [0, LARGE_RECORDS]);
          const after = lab.origin.requestsTo('/a.csv').filter((request) => !request.range).length;
          assert.equal(after, asked, 'the landing was there already');
        } finally {
          await lab.run(['down']);
        }
      });
    });
  });
});

interface Good {
  status: string;
  ledger: { records: number; rows: number };
  sources: { rows: number; raw: string }[];
}

describe('what only looks bad is published whole', () => {
  let lab: Awaited<ReturnType<typeof startLab>>;
  let tests = 0;

  before(async () => {
    lab = await startLab({ env: { SOURCE_RETRY_MINUTES: '15' } });
  });

  after(async () => {
    await lab.close();
  });

  /** @param check gets the dataset's name, which is also the name of its view. */
  async function publishes(
    route: Route,
    expectedRows: number,
    check?: (dataset: string) => Promise<void>,
  ): Promise<void> {
    tests += 1;
    const dataset = `shaky${tests}`;
    lab.origin.set(`/${dataset}.csv`, route);
    await lab.datasets({ [dataset]: { a: lab.origin.address(`/${dataset}.csv`) } });
    const { code, json, stderr } = await lab.json<Good>(['ingest', dataset]);
    assert.equal(code, 0, stderr + JSON.stringify(json));
    assert.deepEqual([json.ledger.records, json.ledger.rows], [expectedRows, expectedRows]);
    await check?.(dataset);
  }

  async function select(sql: string): Promise<unknown> {
    const { code, stdout, stderr } = await lab.run(['query', sql, '--format', 'json']);
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout);
  }

  const once = (n: number, fault: Answer, answer: Answer): Route => {
    return (request) => (request === n ? { ...answer, ...fault } : answer);
  };
  const large: Answer = { body: LARGE, etag: '"1"' };
  const reset = { resetAfterBytes: 3_000_000 };
  for (const [what, route, rows] of [
    ['500 for a while, then good', (n) => (n <= 2 ? { status: 500 } : { body: GOOD }), 2],
    ['429', once(1, { status: 429, headers: { 'Retry-After': '1' } }, { body: GOOD }), 2],
    ['a connection reset in mid-transfer', once(2, reset, large), LARGE_RECORDS],
    ['a server that ignores Range', once(2, reset, { ...large, ranges: false }), LARGE_RECORDS],
    ['a header without rows', { body: 'a,b\r\n' }, 0],
  ] as [string, Route, number][]) {
    it(what, async () => await publishes(route, rows));
  }

  it('a source that changes in mid-transfer: one version only', async () => {
    const newer = LARGE.replaceAll('name ', 'newer ');
    const route: Route = (n) =>
      n <= 2
        ? { body: LARGE, etag: '"1"', resetAfterBytes: n === 2 ? 3_000_000 : 9e9 }
        : { body: newer, etag: '"2"' };
    await publishes(route, LARGE_RECORDS, async (dataset) => {
      assert.deepEqual(
        await select(`SELECT count(*) AS n FROM ${dataset} WHERE name LIKE 'newer%'`),
        [{ n: LARGE_RECORDS }],
      );
    });
  });

  it('duplicate, blank, reserved and hostile column names, made unique and recorded', async () => {
    const header = 'a,a,,source,"x""); DROP TABLE t; --",\u001b[31mred';
    await publishes({ body: `${header}\n1,2,3,4,5,6\n` }, 1, async (dataset) => {
      const [manifest] = await lab.published(dataset);
      const columns = manifest?.sources[0]?.schema.columns ?? [];
      assert.deepEqual(
        columns.map((column) => column.name),
        ['a', 'a_2', 'column_3', 'source_', 'x_drop_table_t', '31mred'],
      );
      assert.equal(columns[4]?.publisherName, 'x"); DROP TABLE t; --');
      assert.deepEqual(await select(`SELECT source, source_ FROM ${dataset}`), [
        { source: 'a', source_: 4 },
      ]);
      const shown = await lab.run(['query', `SELECT * FROM ${dataset}`]);
      assert.ok(!shown.stdout.includes('\u001b['));
    });
  });

  it('quoted line breaks, CRLF with bare LF inside, BOM, no line end at the end, blank lines', async () => {
    await publishes(
      { body: '\uFEFFid,text\r\n1,"a\nb"\r\n\r\n2,"c\r\nd"\r\n3,e' },
      3,
      async (dataset) => {
        assert.deepEqual(await select(`SELECT text FROM ${dataset} ORDER BY id`), [
          { text: 'a\nb' },
          { text: 'c\r\nd' },
          { text: 'e' },
        ]);
        const [manifest] = await lab.published(dataset);
        assert.equal(manifest?.sources[0]?.blankLines, 1);
      },
    );
  });
});
