import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { publishedTable } from '../../src/iceberg/publication.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { TinyLake } from '../lake/tiny-lake.ts';
import { oneValue } from './synced.ts';

const [FIRST, SECOND] = ['2026-01-01', '2026-01-02'] as const;

/** @param glueDatabase without it, nothing is written to AWS Glue. */
async function publishedDay(lake: TinyLake, ingestDate: string, glueDatabase?: string) {
  const duckdb = { memoryLimit: '1GiB', threads: 1 };
  const deps = { converted: lake.store, duckdb, glueDatabase };
  const { signal } = new AbortController();
  return await publishedTable(deps, { dataset: 'd', ingestDate }, signal);
}

/** Runs the body with an AWS Glue that refuses each request. */
async function withRefusingGlue(body: () => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify({ __type: 'AccessDeniedException', message: 'no' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_GLUE: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' },
  });
  try {
    await body();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('the next attempt after one that AWS Glue refused says what the publication changed in the columns', async () => {
  await using lake = await TinyLake.create();
  await lake.publish('d', FIRST, [oneValue('a', 1, 'BIGINT')]);
  assert.deepEqual((await publishedDay(lake, FIRST))?.schemaChanges, []);
  await lake.publish('d', SECOND, [oneValue('a', 1, 'DOUBLE')]);
  await withRefusingGlue(async () => {
    await failureWith(publishedDay(lake, SECOND, 'lake'), 'GLUE_REFUSED');
  });
  const change = { column: 'n', change: 'type', from: 'BIGINT', to: 'DOUBLE' };
  assert.deepEqual((await publishedDay(lake, SECOND))?.schemaChanges, [change]);
});

test('a day on which nothing changed does not say again what an earlier one changed', async () => {
  await using lake = await TinyLake.create();
  await lake.publish('d', FIRST, [oneValue('a', 1, 'BIGINT')]);
  await publishedDay(lake, FIRST);
  const { sources } = await lake.publish('d', SECOND, [oneValue('a', 1, 'DOUBLE')]);
  assert.equal((await publishedDay(lake, SECOND))?.schemaChanges.length, 1);
  const unchanged = sources.map((entry) => ({ ...entry, status: 'unchanged' as const }));
  for (const [ingestDate, revision] of [
    ['2026-01-03', 1],
    [SECOND, 2],
  ] as const) {
    await lake.publishEntries({ dataset: 'd', ingestDate, revision }, unchanged);
    assert.deepEqual((await publishedDay(lake, ingestDate))?.schemaChanges, []);
  }
});
