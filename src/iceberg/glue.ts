import {
  ConcurrentModificationException,
  AlreadyExistsException,
  CreateTableCommand,
  EntityNotFoundException,
  GetDatabaseCommand,
  GetTableCommand,
  GlueClient,
  UpdateTableCommand,
  type Table,
  type TableInput,
} from '@aws-sdk/client-glue';
import { LonghaulError } from '../model/errors.ts';
import { silenceVersionWarning } from '../storage/s3/client.ts';
import { causeOf, sdkErrorText, statusOf, type ServiceError } from '../storage/s3/errors.ts';
import { metadataKey, type TableFolder } from './metadata.ts';
import type { IcebergSchema } from './table-schema.ts';

/** What a catalog must know about a version of a table. */
export interface TablePointer extends TableFolder {
  /** Name of the table in AWS Glue. */
  name: string;
  location: string;
  metadataFile: string;
  /** Columns of the newest day; undefined if there is no day. */
  after: IcebergSchema | undefined;
}

/** Checks that the database exists. @throws LonghaulError GLUE_REFUSED, GLUE_UNAVAILABLE; the signal's reason. */
export async function findGlueDatabase(database: string, signal: AbortSignal): Promise<void> {
  const client = createGlueClient();
  try {
    await client.send(new GetDatabaseCommand({ Name: database }), { abortSignal: signal });
  } catch (error) {
    signal.throwIfAborted();
    throw glueError(error, database);
  } finally {
    client.destroy();
  }
}

/** Attempts if other writers change the entry at the same time. Each attempt reads the entry again. */
const MAX_TRIES = 10;

/**
 * Makes the table's entry in AWS Glue name this version, unless it names a newer one. If two writers update it at once,
 * Glue refuses one of them, and that writer reads the entry again.
 * @throws LonghaulError GLUE_TABLE_FOREIGN, GLUE_REFUSED, GLUE_UNAVAILABLE, STORE_…; the signal's reason.
 */
export async function enterInGlue(
  database: string,
  table: TablePointer,
  signal: AbortSignal,
  client: Pick<GlueClient, 'send' | 'destroy'> = createGlueClient(),
): Promise<void> {
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await enter(database, table, signal, client);
        return;
      } catch (error) {
        signal.throwIfAborted();
        const isOvertaken =
          error instanceof ConcurrentModificationException ||
          error instanceof AlreadyExistsException;
        if (!isOvertaken || attempt >= MAX_TRIES) throw glueError(error, database);
      }
    }
  } finally {
    client.destroy();
  }
}

async function enter(
  database: string,
  table: TablePointer,
  abortSignal: AbortSignal,
  client: Pick<GlueClient, 'send'>,
): Promise<void> {
  const find = new GetTableCommand({ DatabaseName: database, Name: table.name });
  const entry = await client.send(find, { abortSignal }).catch((error: unknown) => {
    // If the database does not exist, CreateTable reports it.
    if (error instanceof EntityNotFoundException) return undefined;
    throw error;
  });
  if (entry?.Table) {
    const update = await updateOf(database, table, entry.Table);
    if (update) await client.send(update, { abortSignal });
  } else {
    const create = { DatabaseName: database, TableInput: entryFor(table) };
    await client.send(new CreateTableCommand(create), { abortSignal });
  }
}

/** @returns undefined if the entry already names this version, or a newer version that exists. */
async function updateOf(
  database: string,
  table: TablePointer,
  { VersionId, Description, Owner, Retention, Parameters = {}, StorageDescriptor }: Table,
): Promise<UpdateTableCommand | undefined> {
  const { name, location, metadataFile, converted, prefix } = table;
  const former = Parameters['metadata_location'] ?? '';
  const isOurs =
    Parameters['table_type']?.toUpperCase() === 'ICEBERG' &&
    StorageDescriptor?.Location === location &&
    versionIn(former, location) !== undefined;
  if (!isOurs) {
    const message = `The table ${database}.${name} of AWS Glue is not the one at ${location}.`;
    throw new LonghaulError('GLUE_TABLE_FOREIGN', message);
  }
  const [known = 0, own = 0] = [versionIn(former, location), versionIn(metadataFile, location)];
  const isThere = async (version: number): Promise<boolean> =>
    (await converted.size(metadataKey(prefix, version))) !== undefined;
  if (known === own || (known > own && (await isThere(known)))) return undefined;
  const input = entryFor(table);
  return new UpdateTableCommand({
    DatabaseName: database,
    VersionId,
    // Glue need not archive former entries: the table's metadata has the days.
    SkipArchive: true,
    TableInput: {
      ...{ ...input, Description, Owner, Retention },
      Parameters: { ...Parameters, ...input.Parameters, previous_metadata_location: former },
    },
  });
}

/** @returns undefined if the file is not a metadata file of Longhaul. */
function versionIn(metadataFile: string, location: string): number | undefined {
  const folder = `${location}/metadata/`;
  if (!metadataFile.startsWith(folder)) return undefined;
  const version = /^v([1-9]\d*)\.metadata\.json$/.exec(metadataFile.slice(folder.length))?.[1];
  return version === undefined ? undefined : Number(version);
}

/** The entry in the form of Iceberg's own library. Athena shows these columns, but reads by the table's metadata. */
function entryFor({ name, location, metadataFile, after }: TablePointer): TableInput {
  const columns = (after?.fields ?? []).map((field) => ({
    Name: field.name,
    // Hive has Iceberg's names of types, with this exception.
    Type: field.type === 'long' ? 'bigint' : field.type,
    Parameters: {
      'iceberg.field.id': String(field.id),
      'iceberg.field.optional': 'true',
      'iceberg.field.current': 'true',
    },
  }));
  return {
    Name: name,
    TableType: 'EXTERNAL_TABLE',
    StorageDescriptor: { Location: location, Columns: columns },
    Parameters: { EXTERNAL: 'TRUE', table_type: 'ICEBERG', metadata_location: metadataFile },
  };
}

/** Attempts of the SDK for one request. Temporal's retries cover longer outages. */
const MAX_ATTEMPTS = 5;
const CONNECT_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 30_000;

/** The AWS SDK finds the region, the endpoint and the credentials in its usual places. */
function createGlueClient(): GlueClient {
  silenceVersionWarning();
  return new GlueClient({
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  });
}

const NETWORK = /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|socket hang up|Timeout/;

function glueError(error: unknown, database: string): unknown {
  if (error instanceof LonghaulError || !(error instanceof Error) || error.name === 'AbortError') {
    return error;
  }
  const { code = '', name, message } = error as ServiceError;
  const status = statusOf(error);
  const isAway =
    status === undefined
      ? NETWORK.test(`${code} ${name} ${message}`)
      : status >= 500 || status === 429 || /Throttl|ConcurrentModification/.test(name);
  const text = `AWS Glue ${isAway ? 'did not answer' : 'refuses'} a request for the database ${database} (${sdkErrorText(error)}).`;
  const options = { cause: causeOf(error) };
  return new LonghaulError(isAway ? 'GLUE_UNAVAILABLE' : 'GLUE_REFUSED', text, {}, options);
}
