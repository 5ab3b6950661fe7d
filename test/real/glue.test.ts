import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateDatabaseCommand,
  CreateTableCommand,
  GetTableCommand,
  GlueClient,
  type Table,
} from '@aws-sdk/client-glue';
import type { HistoryDescription } from '../../src/iceberg/describe-table.ts';
import type { Lab } from '../helpers/lab.ts';
import { startMoto } from '../helpers/moto.ts';
import { withS3Lab } from '../helpers/s3-lab.ts';

interface Result {
  table: { metadataFile: string; error?: { code: string; message: string } };
}

/** Exit code of a run that has published its day but could not enter its table into Glue. */
const STORAGE_EXIT_CODE = 6;

async function ingest(lab: Lab, dataset: string, day: string): Promise<Result['table']> {
  const args = ['ingest', dataset, '--date', day, '--as-if'];
  const { code, json, stdout } = await lab.json<Result>(args);
  assert.equal(code, json.table.error ? STORAGE_EXIT_CODE : 0, stdout);
  return json.table;
}

test('each publication is entered in AWS Glue, where a table of another owner is left alone', async () => {
  const moto = await startMoto();
  try {
    let body = 'n\n1\n';
    const routes = { '/a.csv': () => ({ body }) };
    const env = { GLUE_DATABASE: 'lake', AWS_ENDPOINT_URL_GLUE: moto.endpoint };
    await withS3Lab({ routes, env }, async (lab, s3) => {
      const { AWS_REGION: region, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = s3.env;
      const credentials = { accessKeyId: id, secretAccessKey: secret };
      const glue = new GlueClient({ endpoint: moto.endpoint, region, credentials });
      const entry = async (Name: string): Promise<Table | undefined> =>
        (await glue.send(new GetTableCommand({ DatabaseName: 'lake', Name }))).Table;
      const a = { a: lab.origin.address('/a.csv') };
      await lab.datasets({ 'a-b': a, taken: a });

      // Without the Glue database, the run still publishes the day. The next run enters the table.
      const refused = await ingest(lab, 'a-b', '2026-11-22');
      assert.equal(refused.error?.code, 'GLUE_REFUSED');
      assert.match(refused.error?.message ?? '', /EntityNotFound.*lake/);
      assert.equal((await glueCheck(lab)).status, 'problem');
      const why = ['--date', '2026-11-22', '--reason', 'a test'];
      const { code, stdout } = await lab.run(['unpublish', 'a-b', ...why]);
      assert.equal(code, STORAGE_EXIT_CODE);
      assert.match(
        stdout,
        /^The Iceberg table is as published, .* AWS Glue is not; .*GLUE_REFUSED/m,
      );

      await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'lake' } }));
      assert.equal((await glueCheck(lab)).status, 'ok');
      for (const day of ['2026-11-23', '2026-11-24']) {
        body += `${day.slice(-2)}\n`;
        const { metadataFile } = await ingest(lab, 'a-b', day);
        const { Parameters = {}, StorageDescriptor } = (await entry('a_b')) ?? {};
        assert.equal(Parameters['metadata_location'], metadataFile);
        assert.equal(Parameters['table_type'], 'ICEBERG');
        assert.deepEqual(
          StorageDescriptor?.Columns?.map(({ Name, Type }) => `${Name} ${Type}`),
          ['n bigint', 'source string', 'ingest_date date'],
        );
      }
      assert.match(
        (await entry('a_b'))?.Parameters?.['previous_metadata_location'] ?? '',
        /\/v3\./,
      );
      const { json: described } = await lab.json<{ history: HistoryDescription }>(['table', 'a-b']);
      const { versions, days } = described.history;
      for (const [{ name, metadataFile }, ...columns] of [
        [versions, 'n bigint', 'source string', 'ingest_date date'],
        [days, 'day date', 'source string', 'version_date date'],
      ] as const) {
        const { Parameters = {}, StorageDescriptor } = (await entry(name)) ?? {};
        assert.equal(Parameters['metadata_location'], metadataFile);
        const found = StorageDescriptor?.Columns?.map(({ Name, Type }) => `${Name} ${Type}`);
        assert.deepEqual(found, columns);
      }
      const rebuilt = await lab.json<{ metadataFile: string }>(['table', 'rebuild', 'a-b']);
      assert.equal(
        (await entry('a_b'))?.Parameters?.['metadata_location'],
        rebuilt.json.metadataFile,
      );

      const TableInput = { Name: 'taken', Parameters: { classification: 'csv' } };
      await glue.send(new CreateTableCommand({ DatabaseName: 'lake', TableInput }));
      const { error } = await ingest(lab, 'taken', '2026-11-22');
      assert.equal(error?.code, 'GLUE_TABLE_FOREIGN');
      assert.deepEqual((await entry('taken'))?.Parameters, TableInput.Parameters);
      glue.destroy();
    });
  } finally {
    await moto.close();
  }
});

async function glueCheck(lab: Lab): Promise<{ status: string }> {
  const { json } = await lab.json<{ checks: { id: string; status: string }[] }>(['doctor']);
  const check = json.checks.find(({ id }) => id === 'glue');
  assert.ok(check);
  return check;
}
