import type { LakeSettings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import type { Store } from '../storage/store.ts';
import {
  metadataKey,
  newestVersion,
  prefixOfTable,
  readNewest,
  TABLES_PREFIX,
} from './metadata.ts';

/** The only namespace. It has all tables of the lake. */
export const NAMESPACE = 'longhaul';

/** Requests that a client may send, in the specification's words. A client then does not try any others. */
const ENDPOINTS = [
  'GET /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
];

export interface CatalogAnswer {
  status: number;
  body: object;
}

/**
 * Answers a request by Iceberg's REST specification. Each request reads the tables anew; none writes.
 * @param defaults settings for clients whose user gives none. They contain no secrets.
 * @throws LonghaulError TABLE_UNREADABLE, TABLE_FOREIGN_COMMIT, STORE_… of S3.
 */
export async function answerCatalog(
  converted: Store,
  defaults: Record<string, string>,
  { method = '', url = '' }: { method?: string | undefined; url?: string | undefined },
): Promise<CatalogAnswer> {
  if (method !== 'GET' && method !== 'HEAD') {
    const message = 'Not supported: the catalog is read-only.';
    return failure(406, 'UnsupportedOperationException', message);
  }
  const path = segmentsOf(url);
  if (!path) return failure(400, 'BadRequestException', 'The address cannot be decoded.');
  const [version, kind, namespace, tables, table, ...more] = path;
  if (version !== 'v1' || more.length > 0) return notFound();
  if (kind === 'config' && namespace === undefined) {
    return found({ defaults, overrides: {}, endpoints: ENDPOINTS });
  }
  if (kind !== 'namespaces') return notFound();
  if (namespace === undefined) return namespacesBelow(url);
  if (tables !== undefined && tables !== 'tables') return notFound();
  if (table !== undefined) return await loadTable(converted, namespace, table);
  if (namespace !== NAMESPACE) return noNamespace(namespace);
  if (tables === undefined) return found({ namespace: [NAMESPACE], properties: {} });
  const names = await tableNames(converted);
  return found({ identifiers: names.map((name) => ({ namespace: [NAMESPACE], name })) });
}

export async function tableNames(converted: Store): Promise<string[]> {
  const folders = await converted.folders(TABLES_PREFIX);
  const found = await Promise.all(
    folders.map(async (name) => await newestVersion(converted, prefixOfTable(name))),
  );
  return folders.filter((_, index) => found[index] !== undefined).toSorted();
}

/** The name comes from a client. No key is made of it until it is known to be a folder's name. */
async function loadTable(
  converted: Store,
  namespace: string,
  name: string,
): Promise<CatalogAnswer> {
  const folders = namespace === NAMESPACE ? await converted.folders(TABLES_PREFIX) : [];
  const prefix = prefixOfTable(name);
  const newest = folders.includes(name) ? await readNewest(converted, prefix) : undefined;
  if (!newest) {
    // Other namespaces get this answer too, because Spark asks for a tag, or for metadata, as a table of a namespace
    // that is named like the table.
    const message = `There is no table ${printable(`${namespace}.${name}`)}.`;
    return failure(404, 'NoSuchTableException', message);
  }
  const { version, metadata } = newest;
  const uri = converted.uri(metadataKey(prefix, version));
  if (!uri.startsWith(`${metadata.location}/`)) {
    const message = `${uri} names files in ${metadata.location}: the lake was moved.`;
    throw new LonghaulError('TABLE_UNREADABLE', message);
  }
  // The answer has no `config`: DuckDB would make a secret without keys of it, and use that before the user's own.
  return found({ 'metadata-location': uri, metadata });
}

/** Endpoint and region by which this process finds the bucket. Clients bring their own credentials. */
export async function clientDefaults(lake: LakeSettings): Promise<Record<string, string>> {
  if (lake.kind !== 's3') return {};
  const { s3Session } = await import('../storage/s3/engine-access.ts');
  const { endpoint, region, byPath } = await s3Session(lake);
  return {
    's3.endpoint': endpoint.href.replace(/\/$/, ''),
    's3.path-style-access': String(byPath),
    's3.region': region,
    // The name of the region in Iceberg's Java library.
    'client.region': region,
  };
}

/** An error in the specification's form. */
export function failure(code: number, type: string, message: string): CatalogAnswer {
  return { status: code, body: { error: { message, type, code } } };
}

/** @returns undefined if the address is not well formed. */
function segmentsOf(url: string): string[] | undefined {
  try {
    return url
      .replace(/[?#].*$/s, '')
      .slice(1)
      .split('/')
      .map((segment) => decodeURIComponent(segment));
  } catch {
    return undefined;
  }
}

function found(body: object): CatalogAnswer {
  return { status: 200, body };
}

function notFound(): CatalogAnswer {
  return failure(404, 'NotFoundException', 'The catalog has nothing at this address.');
}

/** The only namespace has no namespaces below it. */
function namespacesBelow(url: string): CatalogAnswer {
  const parent = new URLSearchParams(url.replace(/^[^?]*/, '')).get('parent') ?? '';
  if (parent === '') return found({ namespaces: [[NAMESPACE]] });
  return parent === NAMESPACE ? found({ namespaces: [] }) : noNamespace(parent);
}

function noNamespace(name: string): CatalogAnswer {
  const message = `There is no namespace ${printable(name)}; the only one is ${NAMESPACE}.`;
  return failure(404, 'NoSuchNamespaceException', message);
}
