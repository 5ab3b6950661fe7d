import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { syncTable } from '../../src/iceberg/sync.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  startJavaReader,
  startPythonReaders,
  type ReadTable,
  type Selection,
  type TableReader,
} from '../helpers/table-readers.ts';
import { startS3 } from '../helpers/s3.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';
import { dayEvents, type DayEvent } from '../iceberg/plans.ts';
import { PublishedLake } from '../iceberg/published-lake.ts';
import { byName } from '../iceberg/table-model.ts';

/** Of a dataset's life. */
interface Plan {
  events: DayEvent[];
  /** Whether the table is made anew at its end. */
  isRebuilt: boolean;
}

/** Publishes, brings the table up to date after each publication, and has all of it read. */
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
  /** All that was published is withdrawn. */
  const checkEmpty = async (): Promise<void> => {
    for (const [name, reader] of Object.entries(readers)) {
      assert.deepEqual((await reader.read(location)).rows, [], name);
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
  // Wrong bounds or counts of a file would make a reader pass over it.
  const { columns, rows } = lake.model.head ?? { columns: [], rows: [] };
  for (const [index, { name: column, type }] of columns.entries()) {
    for (const value of new Set([null, ...rows.slice(0, 2).map((row) => row[index] ?? null)])) {
      const matching = rows.filter((row) => row[index] === value);
      await check({ columns, rows: matching }, { where: { column, type, value } });
    }
  }
}

function property(numRuns: number, body: (plan: Plan) => Promise<void>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(fc.record({ events: dayEvents, isRebuilt: fc.boolean() }), body),
    {
      numRuns,
      examples: [[EMPTY_FIRST], [WITHDRAWN]],
      // Making a failure small takes minutes: remove this line for it, with the reported seed and path.
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

/** A file without rows says nothing of its columns' types, also not for the days after it. */
const EMPTY_FIRST: Plan = {
  events: [0, 1].map((rows) => ({
    day: `2026-01-0${rows + 1}`,
    sources: [{ id: 'a', state: 'new', columns: [], rows }],
  })),
  isRebuilt: false,
};

const SEQUENCES = { onDisk: 20, inS3: 4, inJava: 3 };

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
    const s3 = await startS3();
    // Where a file is cast, a process of its own opens the bucket.
    Object.assign(process.env, s3.env);
    try {
      const { readers, close } = await startPythonReaders(s3.env);
      try {
        let lakes = 0;
        await property(SEQUENCES.inS3, async (plan) => {
          lakes += 1;
          await checkTable(new S3Store(s3.settings, `${lakes}/`, s3.client), plan, readers);
        });
      } finally {
        await close();
      }
    } finally {
      await s3.close();
    }
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
});
