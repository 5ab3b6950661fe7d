import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { partialPartKey } from '../../src/model/layout.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { findLeftovers, type FoundLeftovers } from '../../src/storage/leftovers.ts';
import { toJson } from '../../src/storage/manifests.ts';
import { entryWith, snapshotJson } from '../helpers/manifests.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.now();
const DAY = 'denver-311/ingest_date=2026-11-23';
const SOURCE = `${DAY}/source=2015`;
const PART = `${SOURCE}/part-01234567-89abcdef-00000.parquet`;
const DEAD_PART = `${SOURCE}/part-ba987654-32100123-00000.parquet`;
const RUN = '0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11';

class DiskLake {
  readonly folder: string;
  readonly raw: DiskStore;
  readonly converted: DiskStore;

  constructor(folder: string) {
    this.folder = folder;
    this.raw = new DiskStore(join(folder, 'raw'));
    this.converted = new DiskStore(join(folder, 'converted'));
  }

  async put(path: string, hoursOld = 48, body = 'x'): Promise<void> {
    const full = join(this.folder, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, body);
    await this.age(path, hoursOld);
  }

  async age(path: string, hours: number): Promise<void> {
    const then = new Date(NOW_MS - hours * HOUR_MS);
    await utimes(join(this.folder, path), then, then);
  }

  async find(olderThanMs = 24 * HOUR_MS): Promise<FoundLeftovers> {
    const { signal } = new AbortController();
    return await findLeftovers(this, { olderThanMs, nowMs: NOW_MS, signal });
  }

  async files(): Promise<string[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.folder.length + 1))
      .toSorted();
  }
}

async function withLake(body: (lake: DiskLake) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => await body(new DiskLake(folder)));
}

function manifestOf(ingestDate: string, ...parts: string[]): string {
  return snapshotJson({ dataset: 'denver-311', ingestDate, sources: [entryWith(...parts)] });
}

function keysOf({ old }: FoundLeftovers): string[] {
  return old.map(({ zone, key }) => `${zone}/${key}`);
}

async function removeAll({ old }: FoundLeftovers): Promise<void> {
  for (const each of old) await each.remove();
}

test('on a disk it finds partial files, checkpoints, temporaries, parts that nothing names, and staging, and removes only these', async () => {
  await withLake(async (lake) => {
    const published = [
      `raw/${SOURCE}/x.csv`,
      `raw/${SOURCE}/x.csv.manifest.json`,
      `converted/${PART}`,
      `converted/${SOURCE}/_source.json`,
      // This part is verified, but its day is not published.
      `converted/denver-311/ingest_date=2026-11-24/source=a/part-01234567-89abcdef-00000.parquet`,
    ];
    const foreign = [
      'raw/notes.partial',
      'raw/Other/ingest_date=2026-11-23/source=a/x.csv.partial',
      `raw/${SOURCE}/sub/x.csv.partial`,
      `converted/${SOURCE}/x.csv.partial`,
      'converted/_staging/notes/x',
      'converted/_staging/file',
    ];
    const left = [
      `raw/${SOURCE}/x.csv.partial`,
      `raw/${SOURCE}/x.csv.partial.checkpoint.json`,
      `raw/${DAY}/_r2/source=2015/x.csv.partial`,
      `raw/${SOURCE}/.${RUN}.tmp`,
      `converted/${DAY}/.${RUN}.tmp`,
      `converted/${DEAD_PART}`,
      `converted/${partialPartKey(DEAD_PART)}`,
      `converted/_staging/${RUN}/2015/attempt=1/shard.csv`,
      `converted/_staging/${RUN}/2015/schema.json`,
    ];
    for (const path of [...published, ...foreign, ...left]) await lake.put(path);
    const manifest = `converted/${DAY}/_manifest.json`;
    await lake.put(manifest, 48, manifestOf('2026-11-23', PART));
    const entry = 'converted/denver-311/ingest_date=2026-11-24/source=a/_source.json';
    const verified =
      'denver-311/ingest_date=2026-11-24/source=a/part-01234567-89abcdef-00000.parquet';
    await lake.put(entry, 48, toJson(entryWith(verified)));
    await lake.put(`converted/${SOURCE}/_source.json`, 48, '{}');
    published.push(manifest, entry);
    await lake.age(`converted/_staging/${RUN}`, 48);

    const found = await lake.find();
    const staging = `converted/_staging/${RUN}/`;
    assert.deepEqual(keysOf(found).toSorted(), [...left.slice(0, 7), staging].toSorted());
    assert.equal(found.younger, 0);
    await removeAll(found);
    assert.deepEqual(await lake.files(), [...published, ...foreign].toSorted());
    assert.ok(!(await lake.converted.folders('_staging/')).includes(RUN));
    assert.deepEqual(keysOf(await lake.find()), []);
  });
});

test('a part stays that only a later day names, and every part of a dataset with a manifest that cannot be read', async () => {
  await withLake(async (lake) => {
    await lake.put(`converted/${PART}`);
    const later = 'converted/denver-311/ingest_date=2026-11-25/_manifest.json';
    await lake.put(later, 48, manifestOf('2026-11-25', PART));
    assert.deepEqual(keysOf(await lake.find()), []);
    await lake.put(later, 48, '{');
    assert.deepEqual(keysOf(await lake.find()), []);
    await lake.put(later, 48, manifestOf('2026-11-25'));
    assert.deepEqual(keysOf(await lake.find()), [`converted/${PART}`]);
  });
});

test('a checkpoint goes before its partial file, so that no attempt resumes at bytes that are gone', async () => {
  await withLake(async (lake) => {
    await lake.put(`raw/${SOURCE}/x.csv.partial`, 48, '12345');
    await lake.put(`raw/${SOURCE}/x.csv.partial.checkpoint.json`);
    const { old } = await lake.find();
    assert.deepEqual(
      old.map(({ kind, bytes }) => ({ kind, bytes })),
      [
        { kind: 'checkpoint', bytes: 1 },
        { kind: 'partial', bytes: 5 },
      ],
    );
    const day = { dataset: 'denver-311', ingestDate: '2026-11-23' };
    assert.deepEqual(
      old.map(({ holder }) => holder),
      [day, day],
    );
  });
});

test("one young file keeps all of a run's staging, and what is younger is counted", async () => {
  await withLake(async (lake) => {
    await lake.put(`raw/${SOURCE}/x.csv.partial`, 1);
    await lake.put(`raw/${SOURCE}/x.csv.partial.checkpoint.json`, 1);
    await lake.put(`raw/${SOURCE}/y.csv.partial`, 1);
    await lake.put(`converted/_staging/${RUN}/2015/schema.json`, 48);
    await lake.put(`converted/_staging/${RUN}/2019/schema.json`, 1);
    await lake.age(`converted/_staging/${RUN}`, 48);
    assert.deepEqual(await lake.find(), { old: [], younger: 4 });
    assert.equal((await lake.find(HOUR_MS / 2)).younger, 0);
    assert.equal((await lake.find(0)).old.length, 4);
  });
});

test("a run's empty folder has an age too", async () => {
  await withLake(async (lake) => {
    await mkdir(join(lake.folder, 'converted', '_staging', RUN, '2015'), { recursive: true });
    assert.equal((await lake.find()).younger, 1);
    await lake.age(`converted/_staging/${RUN}`, 48);
    const found = await lake.find();
    assert.deepEqual(keysOf(found), [`converted/_staging/${RUN}/`]);
    await removeAll(found);
    assert.deepEqual(await lake.converted.folders('_staging/'), []);
  });
});

test('a landing that its publisher calls x.partial is a landing, once it has its manifest', async () => {
  await withLake(async (lake) => {
    for (const name of ['x.partial', 'y.partial.checkpoint.json']) {
      await lake.put(`raw/${SOURCE}/${name}`);
      await lake.put(`raw/${SOURCE}/${name}.manifest.json`);
    }
    await lake.put(`raw/${SOURCE}/z.partial`);
    assert.deepEqual(keysOf(await lake.find()), [`raw/${SOURCE}/z.partial`]);
  });
});

test('a lake that is not there yet has no leftovers', async () => {
  await withLake(async (lake) => {
    assert.deepEqual(await lake.find(0), { old: [], younger: 0 });
  });
});

test('of any keys in the zones only those of the patterns go, and all of the others stay', async () => {
  const name = fc.constantFrom(
    ...['a.csv', 'a.csv.partial', 'a.csv.partial.checkpoint.json', 'b.partial', '.hidden.partial'],
    ...[
      `.${RUN}.tmp`,
      'x.tmp',
      'part-x.parquet',
      '_source.json',
      'part-01234567-89abcdef-00000.parquet',
    ],
    '.part-01234567-89abcdef-00000.parquet.partial',
  );
  const folder = fc.constantFrom(
    ...['', 'denver-311', DAY, SOURCE, `${DAY}/_r2/source=a.b`, `${SOURCE}/deep`],
    ...['UPPER/ingest_date=2026-11-23/source=a', 'd/ingest_date=2026-02-30/source=a'],
    ...[`_staging/${RUN}/2015`, '_staging', '_staging/other', 'ingest_date=2026-11-23/source=a'],
  );
  const path = fc
    .tuple(fc.constantFrom('raw', 'converted'), folder, name)
    .map((segments) => segments.filter((segment) => segment !== '').join('/'));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(path, { maxLength: 12 }), async (paths) => {
      await withLake(async (lake) => {
        // An entry that cannot be read would keep all parts of its dataset, so each entry here can be read.
        const entry = toJson(entryWith());
        for (const each of paths) await lake.put(each, 48, entry);
        await removeAll(await lake.find(0));
        assert.deepEqual(await lake.files(), paths.filter((each) => !isLeftover(each)).toSorted());
      });
    }),
    {
      numRuns: 60,
      examples: [
        [
          [
            `converted/${DAY}/_r2/source=a.b/_source.json`,
            `converted/${SOURCE}/part-01234567-89abcdef-00000.parquet`,
          ],
        ],
      ],
    },
  );
});

/** The rule for leftovers a second time, written in another way. */
function isLeftover(path: string): boolean {
  const staged = new RegExp(`^(raw|converted)/_staging/${RUN}/`);
  const source = 'denver-311/ingest_date=2026-11-23/(_r2/)?source=(2015|a\\.b)';
  const part = new RegExp(
    `^converted/${source}/(part-01234567-89abcdef-00000\\.parquet|\\.part-01234567-89abcdef-00000\\.parquet\\.partial)$`,
  );
  const partial = new RegExp(`^raw/${source}/(a\\.csv|b)\\.partial(\\.checkpoint\\.json)?$`);
  const temporary = new RegExp(
    `^(raw|converted)/denver-311/ingest_date=2026-11-23/((_r2/)?source=(2015|a\\.b)/)?\\.${RUN}\\.tmp$`,
  );
  return [staged, part, partial, temporary].some((each) => each.test(path));
}
