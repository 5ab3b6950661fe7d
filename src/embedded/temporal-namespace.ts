import { randomBytes } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { Connection } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTE_TYPES } from '../model/run.ts';
import { readFields, statePaths, writeFields } from './state-files.ts';

/** `start-dev` keeps history for 24 h; a lake that is loaded daily wants to be asked about last month. */
const RETENTION_DAYS = 90;
const MS_PER_DAY = 86_400_000;
/** Loopback answers in milliseconds or not at all. */
const CALL_TIMEOUT_MS = 5000;
/** A start of Temporal takes about 0.7 s. */
const RECONNECT_MS = 50;
/** `grpc.status`. */
const NOT_FOUND = 5;

/** What the state folder keeps of its Temporal from one start to the next. */
export interface TemporalRecord {
  namespace: string;
  /** The state folder, when last seen: `namespace` belongs to it, and not to a copy. */
  path: string;
  inode: number;
  /** So that server and Web UI keep their addresses. */
  port?: number;
  uiPort?: number;
  /** Of the Temporal that was started last; its process group has the same number. */
  pid?: number;
}

/**
 * The record of a state folder with a namespace of its own, which it keeps when it is moved. A copy, with the original
 * still in its place, gets another: two servers may then never be taken for each other.
 */
export async function readTemporalRecord(
  stateDir: string,
): Promise<TemporalRecord & { isCopy?: true }> {
  const path = await realpath(stateDir);
  const { ino: inode } = await stat(path);
  const last = (await readFields(statePaths(stateDir).temporal)) as
    Partial<TemporalRecord> | undefined;
  if (typeof last?.namespace !== 'string' || !/^longhaul-[0-9a-f]{12}$/.test(last.namespace)) {
    return { namespace: newNamespace(), path, inode };
  }
  const original = last.path === path ? undefined : await stat(last.path ?? '').catch(() => null);
  const isCopy = original?.ino === last.inode && last.inode !== inode;
  if (isCopy) return { namespace: newNamespace(), path, inode, isCopy };
  const { namespace } = last;
  const [port, uiPort, pid] = [last.port, last.uiPort, last.pid].map((value) =>
    Number.isSafeInteger(value) ? value : undefined,
  );
  return {
    namespace,
    path,
    inode,
    port,
    uiPort,
    pid,
  };
}

export async function writeTemporalRecord(stateDir: string, record: TemporalRecord): Promise<void> {
  await writeFields(statePaths(stateDir).temporal, record);
}

function newNamespace(): string {
  return `longhaul-${randomBytes(6).toString('hex')}`;
}

/** Sets what runs need of the namespace. False where no server answers there, or one that has no such namespace. */
export async function prepareNamespace(address: string, namespace: string): Promise<boolean> {
  try {
    await withConnection(address, async ({ workflowService, operatorService }) => {
      await workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: msNumberToTs(RETENTION_DAYS * MS_PER_DAY) },
      });
      await operatorService.addSearchAttributes({
        namespace,
        searchAttributes: SEARCH_ATTRIBUTE_TYPES,
      });
    });
    return true;
  } catch {
    return false;
  }
}

/** Only where the server says so: one that does not answer may be slow, or suspended. */
export async function isNamespaceGone(address: string, namespace: string): Promise<boolean> {
  try {
    await withConnection(address, async ({ workflowService }) => {
      await workflowService.describeNamespace({ namespace });
    });
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === NOT_FOUND;
  }
}

async function withConnection(
  address: string,
  use: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await Connection.connect({
    address,
    connectTimeout: CALL_TIMEOUT_MS,
    channelArgs: {
      // A proxy of the environment has no way to this machine's loopback.
      'grpc.enable_http_proxy': 0,
      // By default a server that comes up is looked for again only after a second.
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MS,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS,
    },
  });
  try {
    await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => await use(connection));
  } finally {
    await connection.close();
  }
}
