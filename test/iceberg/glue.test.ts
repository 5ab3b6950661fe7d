import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AlreadyExistsException,
  ConcurrentModificationException,
  EntityNotFoundException,
  type CreateTableCommandInput,
  type GlueClient,
  type Table,
  type TableInput,
  type UpdateTableCommandInput,
} from '@aws-sdk/client-glue';
import { enterInGlue, type TablePointer } from '../../src/iceberg/glue.ts';
import type { Store } from '../../src/storage/store.ts';
import { failureWith } from '../helpers/failure-with.ts';

const LOCATION = 's3://b/takehome-converted/_iceberg/a_b';

/** Glue with one table. It checks `VersionId`, as AWS does; moto does not. */
class FakeGlue {
  table: Table | undefined;
  updates = 0;
  /** Runs once between a client's read of the table and its write. It stands for another writer. */
  meanwhile: (() => Promise<void>) | undefined;

  readonly client = {
    destroy: () => undefined,
    send: async ({
      constructor: { name },
      input,
    }: {
      constructor: { name: string };
      input: object;
    }) => {
      if (name === 'GetTableCommand') {
        const seen = this.table;
        const other = this.meanwhile;
        this.meanwhile = undefined;
        await other?.();
        if (!seen) throw new EntityNotFoundException({ message: 'no table', $metadata: {} });
        return { Table: seen };
      }
      if (name === 'CreateTableCommand') this.#create(input as CreateTableCommandInput);
      else this.#update(input as UpdateTableCommandInput);
      return {};
    },
  } as unknown as GlueClient;

  #create({ TableInput }: CreateTableCommandInput): void {
    if (this.table) throw new AlreadyExistsException({ message: 'there', $metadata: {} });
    this.#set(TableInput, 0);
  }

  #update({ TableInput, VersionId }: UpdateTableCommandInput): void {
    if (VersionId !== this.table?.VersionId) {
      throw new ConcurrentModificationException({ message: 'Version mismatch', $metadata: {} });
    }
    this.#set(TableInput, Number(VersionId) + 1);
  }

  #set(input: TableInput | undefined, version: number): void {
    this.table = { Name: 'a_b', ...input, VersionId: String(version) };
    this.updates += 1;
  }
}

function version(number: number): Omit<TablePointer, 'converted'> {
  const metadataFile = `${LOCATION}/metadata/v${number}.metadata.json`;
  return { name: 'a_b', location: LOCATION, prefix: 'a_b/', metadataFile, after: undefined };
}

async function follow({ client }: FakeGlue, number: number, gone?: number): Promise<void> {
  const { signal } = new AbortController();
  const size = async (key: string) =>
    key === `a_b/metadata/v${gone}.metadata.json` ? undefined : 1;
  const converted = { size } as unknown as Store;
  await enterInGlue('lake', { ...version(number), converted }, signal, client);
}

const parametersOf = ({ table }: FakeGlue) => table?.Parameters ?? {};

void describe('the entry of a table in AWS Glue', () => {
  it('is made once, and then follows each version, with the one before', async () => {
    const glue = new FakeGlue();
    await follow(glue, 1);
    assert.deepEqual(parametersOf(glue), {
      EXTERNAL: 'TRUE',
      table_type: 'ICEBERG',
      metadata_location: version(1).metadataFile,
    });
    await follow(glue, 1);
    assert.equal(glue.updates, 1);
    // The commit keeps the parameters that users of Glue have added.
    glue.table = { Name: 'a_b', ...glue.table, Parameters: { ...parametersOf(glue), team: 'x' } };
    await follow(glue, 3);
    assert.deepEqual(parametersOf(glue), {
      EXTERNAL: 'TRUE',
      table_type: 'ICEBERG',
      metadata_location: version(3).metadataFile,
      previous_metadata_location: version(1).metadataFile,
      team: 'x',
    });
  });

  it('never goes back, but from a version that is gone', async () => {
    const glue = new FakeGlue();
    await follow(glue, 12);
    await follow(glue, 9);
    assert.equal(parametersOf(glue)['metadata_location'], version(12).metadataFile);
    await follow(glue, 9, 12);
    assert.equal(parametersOf(glue)['metadata_location'], version(9).metadataFile);
  });

  it('names the newest of what many writers at once have committed', async () => {
    for (const [own, other] of [
      [2, 3],
      [3, 2],
    ] as const) {
      const made = new FakeGlue();
      made.meanwhile = async () => await follow(made, other);
      await follow(made, own);
      assert.equal(parametersOf(made)['metadata_location'], version(3).metadataFile);

      const updated = new FakeGlue();
      await follow(updated, 1);
      updated.meanwhile = async () => await follow(updated, other);
      await follow(updated, own);
      assert.equal(parametersOf(updated)['metadata_location'], version(3).metadataFile);
    }
    const glue = new FakeGlue();
    await Promise.all([1, 2, 3, 4, 5].map(async (number) => await follow(glue, number)));
    assert.equal(parametersOf(glue)['metadata_location'], version(5).metadataFile);
  });

  it('is refused where the name belongs to another table, which stays as it is', async () => {
    const changes: Partial<Table>[] = [
      { Parameters: { classification: 'parquet' } },
      { StorageDescriptor: { Location: 's3://other/a_b' } },
      {
        Parameters: {
          table_type: 'ICEBERG',
          metadata_location: `${LOCATION}/metadata/00001-x.metadata.json`,
        },
      },
    ];
    for (const change of changes) {
      const glue = new FakeGlue();
      await follow(glue, 1);
      glue.table = { Name: 'a_b', ...glue.table, ...change };
      const before = glue.table;
      await failureWith(follow(glue, 2), 'GLUE_TABLE_FOREIGN');
      assert.equal(glue.table, before);
    }
  });
});
