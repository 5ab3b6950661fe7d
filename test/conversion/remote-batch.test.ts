import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  partsOf,
  putBatch,
  stageParts,
  takeResults,
  type RemoteBatch,
} from '../../src/conversion/spark/remote-batch.ts';
import type { SparkBatch, SparkError } from '../../src/conversion/spark/job.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { stagedSchemaKey, stagedSparkPrefix } from '../../src/model/layout.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import { toJson } from '../../src/storage/manifests.ts';
import { stagedPartsKey } from '../../src/storage/staged.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const AT: RemoteBatch = {
  ...{ dataset: 'things', ingestDate: '2026-11-20', revision: 1 },
  ...{ runId: '11111111-2222-4333-8444-555555555555', name: 'emr-1', attempt: '00000001' },
};
const FOLDER = `_staging/${AT.runId}/_spark/emr-1/`;
const { signal } = new AbortController();

async function withLake(body: (store: DiskStore) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    await body(new DiskStore(folder));
  });
}

async function says(store: DiskStore, id: string, result: object): Promise<void> {
  const json = JSON.stringify({ format: 'longhaul/spark-result/1', ...result });
  await store.put(`${FOLDER}results/${id}.json`, json);
}

const part = (bytes: number) => ({ parts: [{ name: 'p.parquet', rows: 1, bytes }] });

describe('a job for Spark on other machines', () => {
  it('is a list of sources in the lake, whose parts have the same names however often it is put', async () => {
    await withLake(async (store) => {
      const lake = { raw: store, converted: store };
      const place = (id: string) => ({ output: `hdfs:///${id}/`, staging: `hdfs:///tmp/${id}/` });
      await putBatch(lake, AT, ['a', 'b'], place);
      await putBatch(lake, AT, ['b'], place);
      const job = JSON.parse(String(await store.get(`${FOLDER}job.json`))) as SparkBatch;
      assert.deepEqual(
        job.sources.map(({ id, output, partPrefix }) => [id, output, partPrefix]),
        [['b', 'hdfs:///b/', 'part-55555555-00000001-']],
      );
    });
  });

  it('has an end for each source but those without a result, and those that another session may do better', async () => {
    await withLake(async (store) => {
      const lake = { raw: store, converted: store };
      await says(store, 'done', part(1));
      await says(store, 'wrong', { error: { kind: 'E', message: 'wrong' } });
      await says(store, 'lost', { error: { kind: 'E', message: 'lost' } });
      await store.put(`${FOLDER}starts/died.1`, '');
      const errorOf = ({ message }: SparkError): LonghaulError | undefined =>
        message === 'lost' ? undefined : new LonghaulError('EMR_STEP_FAILED', message);
      const ids = ['done', 'wrong', 'lost', 'died'];
      const taken = await takeResults(lake, AT, ids, errorOf, signal);
      assert.deepEqual(taken.open, ['lost', 'died']);
      assert.deepEqual(
        taken.failed.map(({ id, error }) => [id, error.code]),
        [['wrong', 'EMR_STEP_FAILED']],
      );
      assert.equal(taken.deadStarts, 1);
      // `takeResults` removes the result of an open source, because a repeated job skips sources that have a result.
      assert.equal(await store.size(`${FOLDER}results/lost.json`), undefined);
      assert.deepEqual(
        (await partsOf(lake, AT, ids, signal)).map(({ id }) => id),
        ['done'],
      );
      // The result of one cluster does not count for another cluster.
      const next = await takeResults(lake, { ...AT, name: 'emr-2' }, ids, errorOf, signal);
      assert.deepEqual(next, { open: ids, failed: [], deadStarts: 0 });
    });
  });

  it('takes no source for converted whose parts are not in their place, or of another length', async () => {
    await withLake(async (store) => {
      const lake = { raw: store, converted: store };
      const csv = {
        delimiter: ',',
        delimiterFrom: 'found',
        encoding: 'utf-8',
        encodingFrom: 'found',
      };
      const reading = { ...csv, header: true, bareQuotes: { count: 0, examples: [] } };
      for (const id of ['whole', 'short', 'gone']) {
        await says(store, id, part(5));
        const schema = { encoding: 'utf-8', csv: reading, schema: { columns: [] } };
        await store.put(stagedSchemaKey(AT.runId, id), toJson(schema));
      }
      const folder = 'things/ingest_date=2026-11-20/source=';
      await store.put(`${folder}whole/p.parquet`, '12345');
      await store.put(`${folder}short/p.parquet`, '1234');
      const failed = await stageParts(lake, AT, ['whole', 'short', 'gone'], signal);
      assert.deepEqual(
        failed.map(({ id, error }) => [id, error.code]),
        [
          ['short', 'LAKE_CORRUPT'],
          ['gone', 'LAKE_CORRUPT'],
        ],
      );
      const staged = stagedPartsKey(stagedSparkPrefix(AT.runId, 'whole'));
      const { parts } = JSON.parse(String(await store.get(staged))) as { parts: string[] };
      assert.deepEqual(parts, [`${folder}whole/p.parquet`]);
      const other = stagedPartsKey(stagedSparkPrefix(AT.runId, 'short'));
      assert.equal(await store.size(other), undefined);
    });
  });
});
