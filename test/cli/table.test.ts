import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { TableReport } from '../../src/cli/commands/table.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { entryOf, snapshotJson } from '../helpers/manifests.ts';
import { writeParquet } from '../lake/tiny-lake.ts';
import { Workplace } from './fake-context.ts';

let place = new Workplace();
const converted = (): DiskStore => new DiskStore(join(place.cwd, 'data', 'takehome-converted'));

after(() => place.remove());
beforeEach(async () => {
  place.remove();
  place = new Workplace();
  const key = 'trees/ingest_date=2026-01-01/source=a/part-00000.parquet';
  await writeParquet('SELECT unnest([1, 2])::BIGINT AS n', converted().uri(key));
  const columns = [{ name: 'n', publisherName: 'N', type: 'BIGINT' as const }];
  const parquet = [{ key, rows: 2, bytes: 1, checksum: 'x' }];
  const manifest = converted().uri('trees/ingest_date=2026-01-01/_manifest.json');
  mkdirSync(dirname(manifest), { recursive: true });
  const sources = [entryOf({ rows: 2, parquet, schema: { columns } })];
  writeFileSync(manifest, snapshotJson({ dataset: 'trees', ingestDate: '2026-01-01', sources }));
});

describe('longhaul table', () => {
  it('says how to make the table of a lake that has none yet, and makes it', async () => {
    const before = await place.run('table', 'trees');
    assert.match(
      before.stderr,
      /TABLE_UNREADABLE: trees has no Iceberg table yet[^]*table rebuild/,
    );
    const { exitCode, stdout } = await place.run('table', 'rebuild', 'trees', '--json');
    assert.equal(exitCode, 0);
    const report = JSON.parse(stdout) as TableReport;
    assert.equal(report.location, converted().uri('_iceberg/trees'));
    assert.deepEqual(report.columns.slice(0, 1), [{ name: 'n', type: 'BIGINT' }]);
    const [tag] = report.tags;
    assert.deepEqual([tag?.tag, tag?.rows, tag?.publishedAs], ['2026-01-01', 2, '2026-01-01/r1']);
    assert.equal(tag?.snapshotId, report.snapshotId);
  });

  it('has lines to paste that name the table, and a day of it', async () => {
    await place.run('table', 'rebuild', 'trees');
    const { stdout } = await place.run('table', 'trees');
    assert.match(stdout, /iceberg_scan\('.*_iceberg\/trees', snapshot_from_id = \d+\);/);
    assert.match(stdout, /snapshot_by_name\("2026-01-01"\)/);
    assert.match(stdout, /^history: trees_versions and trees_days /m);
    assert.match(stdout, /_iceberg\/trees_versions'\) AS v JOIN .*_iceberg\/trees_days'\)/);
    // Athena and Snowflake read buckets only, so the report on a folder does not name them.
    assert.doesNotMatch(stdout, /Athena|Snowflake/);
  });

  it('knows no table of a dataset that was never published', async () => {
    assert.match((await place.run('table', 'shrubs')).stderr, /^NOT_PUBLISHED/);
    assert.match((await place.run('table', 'rebuild', 'shrubs')).stderr, /^NOT_PUBLISHED/);
  });

  it('is made anew where it is damaged', async () => {
    await place.run('table', 'rebuild', 'trees');
    writeFileSync(converted().uri('_iceberg/trees/metadata/v1.metadata.json'), '{');
    assert.match((await place.run('table', 'trees')).stderr, /^TABLE_UNREADABLE/);
    rmSync(converted().uri('_iceberg/trees/metadata/version-hint.text'));
    assert.equal((await place.run('table', 'rebuild', 'trees')).exitCode, 0);
    assert.equal((await place.run('table', 'trees')).exitCode, 0);
  });
});
