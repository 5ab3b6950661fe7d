import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { listenOn } from '../../src/embedded/loopback.ts';
import { answerCatalog } from '../../src/iceberg/rest-catalog.ts';
import { syncTable } from '../../src/iceberg/sync.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  sorted,
  startJavaReader,
  startPythonReaders,
  type ReadTable,
  type Selection,
  type TableReader,
} from '../helpers/table-readers.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { dayEvents, type DayEvent } from '../iceberg/plans.ts';
import { PublishedLake } from '../iceberg/published-lake.ts';
import { byName, type HistoryModel } from '../iceberg/table-model.ts';
import { rowsOf } from '../lake/tiny-lake.ts';

/** Events in the life of a dataset. */
interface Plan {
  events: DayEvent[];
  /** True: the table is rebuilt after the events. */
  isRebuilt: boolean;
}

/** Publishes, updates the table after each publication, and lets all readers read it. */
async function checkTable(
  store: Store,
  { events, isRebuilt }: Plan,
  readers: Record<string, TableReader>,
): Promise<void> {
  const lake = new PublishedLake(store, 'd');
  const duckdb = { memoryLimit: '1GiB', threads: 1, httpfs: undefined };
  let location = '';
  const check = async (expected: ReadTable, of: Selection = {}): Promise<void> => {
    for (const [name, reader] of Object.entries(readers)) {
      const found = await reader.read(location, of);
      const place = `${JSON.stringify(of)} by ${name}`;
      const last = found.columns.slice(-2).map((each) => each.name);
      assert.deepEqual(last, ['source', 'ingest_date'], place);
      assert.deepEqual({ place, ...byName(found) }, { place, ...expected });
    }
  };
  /** Checks the table after all days were withdrawn. */
  const checkEmpty = async (): Promise<void> => {
    for (const [name, reader] of Object.entries(readers)) {
      for (const table of [location, `${location}_versions`, `${location}_days`]) {
        assert.deepEqual((await reader.read(table)).rows, [], `${name} ${table}`);
      }
    }
  };
  const sync = async (rebuild: boolean): Promise<void> => {
    const { signal } = new AbortController();
    const table = await syncTable({ converted: store, duckdb, dataset: 'd', signal, rebuild });
    location = table?.location ?? '';
    const tags = Object.keys(table?.metadata.refs ?? {}).filter((name) => name !== 'main');
    assert.deepEqual(tags.toSorted(), lake.model.tags.map(([tag]) => tag).toSorted());
    if (lake.model.head) await check(lake.model.head);
    else if (table) await checkEmpty();
  };
  for (const event of events) {
    await lake.publish(event);
    await sync(false);
  }
  if (isRebuilt) {
    lake.model.rebuild();
    await sync(true);
  }
  for (const [tag, expected] of lake.model.tags) await check(expected, { tag });
  if (lake.model.history) {
    await checkHistory(location, lake.model.history, readers);
    // The table keeps types that were once wider until a rebuild, so only a rebuilt table has the view's types.
    if (isRebuilt && store instanceof DiskStore) await checkView(store, lake.model.history);
  }
  // If the bounds or counts of a file were wrong, a reader would skip the file.
  const { columns, rows } = lake.model.head ?? { columns: [], rows: [] };
  for (const [index, { name: column, type }] of columns.entries()) {
    for (const value of new Set([null, ...rows.slice(0, 2).map((row) => row[index] ?? null)])) {
      const matching = rows.filter((row) => row[index] === value);
      await check({ columns, rows: matching }, { where: { column, type, value } });
    }
  }
}

/** Checks the versions and the days by each reader. Joined, they are the history. */
async function checkHistory(
  location: string,
  { versions, days, joined }: HistoryModel,
  readers: Record<string, TableReader>,
): Promise<void> {
  for (const [place, reader] of Object.entries(readers)) {
    const found = {
      versions: byName(await reader.read(`${location}_versions`)),
      days: byName(await reader.read(`${location}_days`)),
    };
    assert.deepEqual({ place, ...found }, { place, versions, days });
    const names = found.versions.columns.map(({ name }) => name);
    const [source, ingestDate] = [names.indexOf('source'), names.indexOf('ingest_date')];
    const rows = found.days.rows.flatMap(([day = null, id, versionDate]) =>
      found.versions.rows
        .filter((row) => row[source] === id && row[ingestDate] === versionDate)
        .map((row) => row.with(ingestDate, day)),
    );
    assert.deepEqual({ place, rows: sorted(rows) }, { place, rows: joined.rows });
  }
}

/** Checks that `longhaul query` returns the same rows. */
async function checkView(converted: DiskStore, { joined }: HistoryModel): Promise<void> {
  const values = joined.columns.map(({ name, type }) => {
    if (type === 'DOUBLE') return name;
    if (type === 'TIMESTAMP') return `strftime(${name}, '%Y-%m-%d %H:%M:%S.%f') AS ${name}`;
    return `CAST(${name} AS VARCHAR) AS ${name}`;
  });
  const rows = await rowsOf(`SELECT ${values.join(', ')} FROM d_history`, { converted });
  const found = rows.map((row) => Object.values(row as Record<string, string | number | null>));
  assert.deepEqual(sorted(found), joined.rows);
}

function property(sequences: number, body: (plan: Plan) => Promise<void>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(fc.record({ events: dayEvents, isRebuilt: fc.boolean() }), body),
    {
      numRuns: EXAMPLES.length + sequences,
      examples: EXAMPLES.map((plan): [Plan] => [plan]),
      // fast-check takes minutes to shrink a failure. If needed, remove this line and use the reported seed and path.
      endOnFailure: true,
      includeErrorInReport: true,
    },
  );
}

const ONE_ROW: DayEvent = {
  day: '2026-01-01',
  sources: [{ id: 'a', state: 'new', columns: [], rows: 1 }],
};
const WITHDRAWN: Plan = {
  events: [ONE_ROW, { day: '2026-01-01', sources: 'withdrawn' }, ONE_ROW],
  isRebuilt: false,
};

/** A rebuild after all days were withdrawn. */
const NOTHING_LEFT: Plan = { events: WITHDRAWN.events.slice(0, 2), isRebuilt: true };

/** The second day keeps rows that a later revision of the first day replaces. */
const REPLACED: Plan = {
  events: [
    ONE_ROW,
    { day: '2026-01-02', sources: [{ id: 'a', state: 'unchanged', columns: [], rows: 0 }] },
    { day: '2026-01-01', sources: [{ id: 'a', state: 'new', columns: [], rows: 3 }] },
    { day: '2026-01-03', sources: [{ id: 'a', state: 'unchanged', columns: [], rows: 0 }] },
  ],
  isRebuilt: true,
};

/** A file without rows does not decide its columns' types, not even for later days. */
const EMPTY_FIRST: Plan = {
  events: [0, 1].map((rows) => ({
    day: `2026-01-0${rows + 1}`,
    sources: [{ id: 'a', state: 'new', columns: [], rows }],
  })),
  isRebuilt: false,
};

/** Numbers of random sequences. Each test also runs the examples. */
const SEQUENCES = { onDisk: 16, inS3: 2, inJava: 2, inJavaInS3: 1 };
const EXAMPLES = [EMPTY_FIRST, WITHDRAWN, NOTHING_LEFT, REPLACED];

suite('a table has the rows and types that were published, as its head and on every day', () => {
  test('on disk, by DuckDB, pyiceberg and polars', async () => {
    const { readers, close } = await startPythonReaders();
    try {
      await property(SEQUENCES.onDisk, async (plan) => {
        await withTempFolder(
          async (folder) => await checkTable(new DiskStore(folder), plan, readers),
        );
      });
    } finally {
      await close();
    }
  });

  test('in S3, by DuckDB, pyiceberg and polars', async () => {
    await withBucket(async (s3, lake) => {
      const { readers, close } = await startPythonReaders(s3.env);
      try {
        await property(SEQUENCES.inS3, async (plan) => await checkTable(lake(), plan, readers));
      } finally {
        await close();
      }
    });
  });

  test("on disk, by Iceberg's own library", async () => {
    const java = await startJavaReader();
    try {
      await property(SEQUENCES.inJava, async (plan) => {
        await withTempFolder(
          async (folder) => await checkTable(new DiskStore(folder), plan, { java }),
        );
      });
    } finally {
      await java.close();
    }
  });

  test("in S3, by Iceberg's own library, which has the files' addresses from the catalog", async () => {
    await withBucket(async (s3, lake) => {
      let store = lake();
      const catalog = createServer((request, response) => {
        const defaults = { 's3.endpoint': s3.endpoint, 's3.path-style-access': 'true' };
        void answerCatalog(store, defaults, request).then(({ status, body }) => {
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(JSON.stringify(body));
        });
      });
      const port = await listenOn(catalog, []);
      const options = { catalog: `http://127.0.0.1:${port}`, env: s3.env };
      const session = await startJavaReader(options);
      const java: TableReader = {
        read: async (table, of) =>
          await session.read(`lake.longhaul.${table.split('/').at(-1)}`, of),
      };
      try {
        await property(SEQUENCES.inJavaInS3, async (plan) => {
          store = lake();
          await checkTable(store, plan, { java });
        });
      } finally {
        await session.close();
        catalog.close();
        catalog.closeAllConnections();
      }
    });
  });
});

/** Gives `body` a gateway and a function that makes a new lake in it. */
async function withBucket(body: (s3: TestS3, lake: () => S3Store) => Promise<void>): Promise<void> {
  const s3 = await startS3();
  // If a file is cast, another process opens the bucket.
  Object.assign(process.env, s3.env);
  try {
    let lakes = 0;
    await body(s3, () => new S3Store(s3.settings, `${(lakes += 1)}/`, s3.client));
  } finally {
    await s3.close();
  }
}
