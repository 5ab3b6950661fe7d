import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { suite, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { withLab, type Lab } from '../helpers/lab.ts';
import type { Route } from '../helpers/origin.ts';
import { withS3Lab } from '../helpers/s3-lab.ts';
import {
  sorted,
  startJavaReader,
  startPythonReaders,
  type PythonReaders,
  type Row,
  type Selection,
} from '../helpers/table-readers.ts';

interface Served {
  url: string;
  namespace: string;
  tables: string[];
}

/** Reads a table by its name in the catalog. */
type ReadByName = (name: string, of?: Selection) => Promise<{ rows: Row[] }>;

const DAYS = ['2026-11-22', '2026-11-23'] as const;

/** A publisher with one file that changes and one that does not. */
function publisher(): { routes: Record<string, Route>; change: () => void } {
  let body = 'n\n1\n2\n';
  return {
    routes: { '/a.csv': () => ({ body }), '/b.csv': { body: 'n\n-1\n', etag: '"b"' } },
    change: () => (body = 'n\n3\n4\n5\n'),
  };
}

/** Serves the catalog of a lab's lake while `body` runs. Then Ctrl-C ends it. */
async function withCatalog(lab: Lab, body: (served: Served) => Promise<void>): Promise<void> {
  const running = lab.start(['catalog', 'serve', '--json']);
  let stdout = '';
  running.process.stdout?.on('data', (piece: string) => (stdout += piece));
  await running.says(/\n/);
  await body(JSON.parse(stdout) as Served);
  running.process.kill('SIGINT');
  assert.deepEqual(await running.ended, { code: 0, signal: null, stdout, stderr: '' });
}

async function ingest(lab: Lab, dataset: string, day: string): Promise<void> {
  const outcome = await lab.run(['ingest', dataset, '--date', day, '--as-if']);
  assert.equal(outcome.code, 0, outcome.stderr);
}

/** Rows of a view from `longhaul query`, in the readers' form. The columns are `n BIGINT, source, ingest_date`. */
async function queried(lab: Lab, view: string, ...flags: string[]): Promise<Row[]> {
  const outcome = await lab.run(['query', `SELECT * FROM ${view}`, '--json', ...flags]);
  assert.equal(outcome.code, 0, outcome.stderr);
  const rows = JSON.parse(outcome.stdout) as Record<string, string | number>[];
  return sorted(rows.map(({ n, source, ingest_date: day }) => [String(n), source, day] as Row));
}

function byName(url: string, { readers }: PythonReaders): Map<string, ReadByName> {
  const entries = Object.entries(readers).map(([program, reader]): [string, ReadByName] => [
    program,
    async (name, of) => await reader.read(`${url}/longhaul.${name}`, of),
  ]);
  return new Map(entries);
}

/** Clients read tables by name, whether a run published them before or after the start of the catalog. */
async function readsByName(
  lab: Lab,
  change: () => void,
  readers: Map<string, ReadByName>,
): Promise<void> {
  const same = async (table: string, tag?: string): Promise<void> => {
    const expected = await queried(lab, table, ...(tag === undefined ? [] : ['--as-of', tag]));
    for (const [reader, read] of readers) {
      assert.deepEqual((await read(table, { tag })).rows, expected, `${reader} ${table} ${tag}`);
    }
  };
  await same('a_b');
  for (const [reader, read] of readers) await assert.rejects(read('later'), /later/, reader);
  change();
  await ingest(lab, 'a-b', DAYS[1]);
  await ingest(lab, 'later', DAYS[1]);
  await same('a_b');
  await same('later');
  for (const day of DAYS) await same('a_b', day);
}

async function publishFirst(lab: Lab): Promise<void> {
  const [a, b] = ['/a.csv', '/b.csv'].map((path) => lab.origin.address(path));
  await lab.datasets({ 'a-b': { a: a ?? '', b: b ?? '' }, later: { b: b ?? '' } });
  await ingest(lab, 'a-b', DAYS[0]);
}

/** @param env environment of the readers of a lake in S3. */
async function withReaders(
  url: string,
  env: Record<string, string> | undefined,
  body: (readers: Map<string, ReadByName>) => Promise<void>,
): Promise<void> {
  const python = await startPythonReaders(env);
  try {
    const java = await startJavaReader({ catalog: url, ...(env && { env }) });
    try {
      const readers = byName(url, python);
      readers.set('spark', async (name, of) => await java.read(`lake.longhaul.${name}`, of));
      await body(readers);
    } finally {
      await java.close();
    }
  } finally {
    await python.close();
  }
}

suite(
  'DuckDB, pyiceberg, polars and Spark find by name the tables of a lake, also new ones,',
  () => {
    test('on disk', async () => {
      const { routes, change } = publisher();
      await withLab({ routes }, async (lab) => {
        await publishFirst(lab);
        await withCatalog(lab, async ({ url, namespace, tables }) => {
          assert.deepEqual([namespace, tables], ['longhaul', ['a_b', 'a_b_days', 'a_b_versions']]);
          await withReaders(
            url,
            undefined,
            async (readers) => await readsByName(lab, change, readers),
          );
          const { status } = await fetch(`${url}/v1/namespaces/longhaul/tables/a_b`, {
            method: 'DELETE',
          });
          assert.equal(status, 406);
          await isForThisMachine(url);
        });
      });
    });

    test('in S3, whose address they have from the catalog, with keys of their own', async () => {
      const { routes, change } = publisher();
      await withS3Lab({ routes }, async (lab, s3) => {
        await publishFirst(lab);
        await withCatalog(lab, async ({ url }) => {
          await withReaders(
            url,
            s3.env,
            async (readers) => await readsByName(lab, change, readers),
          );
          const config = await (await fetch(`${url}/v1/config`)).text();
          const load = await (await fetch(`${url}/v1/namespaces/longhaul/tables/a_b`)).text();
          assert.ok(!`${config}${load}`.includes(s3.env.AWS_SECRET_ACCESS_KEY));
        });
      });
    });
  },
);

/** The catalog refuses a web page that uses a foreign host name or sends a request from a foreign origin. */
async function isForThisMachine(url: string): Promise<void> {
  const get = async (headers: OutgoingHttpHeaders): Promise<[number?, string?]> => {
    const sent = request(`${url}/v1/namespaces`, { headers }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return [answer.statusCode, await text(answer)];
  };
  for (const headers of [{ host: 'evil.example' }, { origin: 'https://evil.example' }]) {
    const [status, body = ''] = await get(headers);
    assert.equal(status, 403);
    assert.match(body, /"ForbiddenException"/);
  }
  assert.equal((await get({}))[0], 200);
}

test('a port that is taken is an error of usage', async () => {
  await withLab({ up: false }, async (lab) => {
    await withCatalog(lab, async ({ url, tables }) => {
      assert.deepEqual(tables, []);
      const args = ['catalog', 'serve', '--port', new URL(url).port];
      const { code, json } = await lab.json<{ error: { message: string } }>(args);
      assert.equal(code, 2);
      assert.match(json.error.message, /^Port \d+ is taken/);
      assert.equal((await lab.run(['catalog', 'serve', '--port', '0'])).code, 2);
    });
  });
});
