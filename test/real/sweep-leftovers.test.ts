import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { findLeftovers, type FoundLeftovers } from '../../src/storage/leftovers.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { listUploads } from '../../src/storage/s3/uploads.ts';
import type { Lake } from '../../src/storage/store.ts';
import { entryWith, snapshotJson } from '../helpers/manifests.ts';
import { sharedS3 } from '../helpers/s3.ts';

const HOUR_MS = 3_600_000;
const SOURCE = 'denver-311/ingest_date=2026-11-23/source=2015';
const MANIFEST_KEY = 'denver-311/ingest_date=2026-11-23/_manifest.json';
const MANIFEST = snapshotJson({
  ...{ dataset: 'denver-311', ingestDate: '2026-11-23' },
  sources: [entryWith(`${SOURCE}/part-01234567-89abcdef-00000.parquet`)],
});
const RUN = '0b0e1a52-7c3a-4a4e-9f4e-2f1f5a3f0c11';

const shared = sharedS3();
let lakes = 0;

function newLake(): Lake & Record<'raw' | 'converted', S3Store> {
  lakes += 1;
  const zone = (name: string): S3Store => new S3Store(shared.s3.settings, `lake-${lakes}/${name}/`);
  return { raw: zone('raw'), converted: zone('converted') };
}

async function begin(store: S3Store, key: string, parts: string[] = []): Promise<void> {
  const at = { Bucket: store.s3.bucket, Key: store.s3.keyOf(key) };
  const { UploadId } = await shared.s3.client.send(new CreateMultipartUploadCommand(at));
  for (const [index, Body] of parts.entries()) {
    const part = { ...at, UploadId, PartNumber: index + 1, Body };
    await shared.s3.client.send(new UploadPartCommand(part));
  }
}

/** S3 gives every object the present time, so the test moves the present time instead. */
async function find(lake: Lake, hoursLater: number): Promise<FoundLeftovers> {
  const nowMs = Date.now() + hoursLater * HOUR_MS;
  const { signal } = new AbortController();
  return await findLeftovers(lake, { olderThanMs: 24 * HOUR_MS, nowMs, signal });
}

function piecesOf({ old }: FoundLeftovers): string[] {
  return old.map(({ kind, key, bytes }) => `${kind} ${key} ${bytes}`);
}

test('in S3 it finds uploads with what they hold, checkpoints, parts that nothing names and staging, and nothing of other programs', async () => {
  const lake = newLake();
  await begin(lake.raw, `${SOURCE}/x.csv`, ['four', 'byte']);
  await lake.raw.put(`${SOURCE}/x.csv.partial.checkpoint.json`, '{}');
  await begin(lake.raw, 'others/x.csv');
  await lake.raw.put(`${SOURCE}/done.csv`, 'x');
  await lake.raw.put(`${SOURCE}/done.csv.manifest.json`, '{}');
  await lake.converted.put(`${SOURCE}/part-01234567-89abcdef-00000.parquet`, 'x');
  await lake.converted.put(MANIFEST_KEY, MANIFEST);
  await lake.converted.put(`${SOURCE}/part-ba987654-32100123-00000.parquet`, 'dead');
  await lake.converted.put(`_staging/${RUN}/2015/schema.json`, '{}');
  await begin(lake.converted, `_staging/${RUN}/2015/attempt=1/shard.csv`, ['seven b']);
  await begin(lake.converted, `${SOURCE}/part-ba987654-32100123-00001.parquet`);

  assert.deepEqual(await find(lake, 23), { old: [], younger: 6 });
  const found = await find(lake, 25);
  assert.deepEqual(piecesOf(found), [
    `upload ${SOURCE}/x.csv 8`,
    `upload _staging/${RUN}/2015/attempt=1/shard.csv 7`,
    `upload ${SOURCE}/part-ba987654-32100123-00001.parquet 0`,
    `checkpoint ${SOURCE}/x.csv.partial.checkpoint.json 2`,
    `part ${SOURCE}/part-ba987654-32100123-00000.parquet 4`,
    `staging _staging/${RUN}/ 2`,
  ]);
  for (const each of found.old) {
    await each.remove();
    // An interrupted sweep starts again and removes the same files a second time.
    await each.remove();
  }
  assert.deepEqual(await find(lake, 25), { old: [], younger: 0 });
  const left: string[] = [];
  for (const store of [lake.raw, lake.converted])
    for await (const { key } of store.list('')) left.push(key);
  assert.deepEqual(left, [
    `${SOURCE}/done.csv`,
    `${SOURCE}/done.csv.manifest.json`,
    MANIFEST_KEY,
    `${SOURCE}/part-01234567-89abcdef-00000.parquet`,
  ]);
  const uploads: string[] = [];
  for await (const { key } of listUploads(lake.raw.s3, '')) uploads.push(key);
  assert.deepEqual(uploads, ['others/x.csv']);
});

test('an upload is as young as its last part: a slow landing goes on for days', async () => {
  const lake = newLake();
  const { s3: prefix } = lake.raw;
  const at = { Bucket: prefix.bucket, Key: prefix.keyOf(`${SOURCE}/x.csv`) };
  const { UploadId } = await shared.s3.client.send(new CreateMultipartUploadCommand(at));
  const beginMs = Date.now();
  let lastPartMs = 0;
  // S3 gives times in whole seconds.
  while (lastPartMs < beginMs) {
    const part = { ...at, UploadId, PartNumber: 1 };
    await shared.s3.client.send(new UploadPartCommand({ ...part, Body: 'part' }));
    const { Parts = [] } = await shared.s3.client.send(new ListPartsCommand({ ...at, UploadId }));
    lastPartMs = Parts[0]?.LastModified?.getTime() ?? 0;
  }
  const nowMs = lastPartMs + 25 * HOUR_MS;
  const { signal } = new AbortController();
  const { old } = await findLeftovers(lake, { olderThanMs: 0, nowMs, signal });
  assert.deepEqual(
    old.map(({ ageMs }) => ageMs),
    [25 * HOUR_MS],
  );
});

test('no upload and no part is missed where S3 answers in pages', async () => {
  const lake = newLake();
  const wanted = Array.from({ length: 7 }, (_, n) => `${SOURCE}/${n}.csv`);
  for (const key of wanted) await begin(lake.raw, key, ['one', 'three', 'x']);
  const client = createS3Client(shared.s3.settings);
  const markers: string[] = [];
  client.middlewareStack.add(
    (next) => async (args) => {
      const input = args.input as { KeyMarker?: string };
      if (input.KeyMarker !== undefined) markers.push(input.KeyMarker);
      Object.assign(input, { MaxUploads: 2, MaxParts: 2 });
      return await next(args);
    },
    { step: 'initialize' },
  );
  const raw = new S3Store(shared.s3.settings, `lake-${lakes}/raw/`, client);
  const found = await find({ ...lake, raw }, 25);
  client.destroy();
  assert.deepEqual(
    piecesOf(found).toSorted(),
    wanted.map((key) => `upload ${key} 9`),
  );
  const lastOfPages = [1, 3, 5].map((n) => raw.s3.keyOf(`${SOURCE}/${n}.csv`));
  assert.deepEqual(markers, lastOfPages);
});
