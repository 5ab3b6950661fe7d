import { randomInt } from 'node:crypto';
import { closeSync } from 'node:fs';
import { readFile, rename, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { SEARCH_ATTRIBUTE_TYPES } from '../model/run.ts';
import { startChild } from '../programs/child.ts';
import { freePort } from './loopback.ts';
import { takeLock, rotateLog, statePaths } from './state-files.ts';

/** The only Temporal server of a state folder. It ends when this process ends, for any reason. */
export interface Temporal {
  /** `host:port`. */
  address: string;
  /** Address of Temporal's own Web UI, which is behind the host's proxy. */
  ui: { host: string; port: number };
  /** Resolves with the reason when Temporal has ended or its namespace is gone. */
  lost: Promise<string>;
  stop(): Promise<void>;
}

export interface TemporalOptions {
  stateDir: string;
  /** The path of the program. */
  program: string;
  /** PATH, for a program that is a script. */
  searchPath: string | undefined;
  namespace: string;
  /** Preferred ports. Temporal gets the first free one. */
  ports: readonly number[];
  onNote: (note: string) => void;
  /** If it aborts, the start is given up and the started processes are stopped. */
  signal: AbortSignal;
}

/** Temporal starts in about 1 s. It needs longer on a busy laptop with a large database. */
const START_LIMIT_MS = 60_000;
/** Temporal stops in about 1 s. It may need longer on a busy machine. */
const STOP_LIMIT_MS = 15_000;
const POLL_MS = 50;
/** `start-dev` keeps histories for only 24 h. The operator of a daily lake also needs the runs of the last months. */
const RETENTION_MS = 90 * 86_400_000;
const NAMESPACE_INTERVAL_MS = 5000;
/** A server on loopback answers in milliseconds or not at all. */
const CALL_TIMEOUT_MS = 5000;

/**
 * Starts Temporal, ready for use. The caller holds the host's lock.
 * @throws Error if another start may help; LonghaulError LAKE_NOT_WRITABLE, and EMBEDDED_FAILED if another Temporal
 * has the database.
 */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { stateDir, namespace, signal } = options;
  const { temporalLog } = statePaths(stateDir);
  const logStart = await rotateLog(temporalLog);
  const lastWord = async (): Promise<string> => await endOfLog(temporalLog, logStart);
  const port = await freePort(options.ports);
  const ui = { host: uiHost(), port: await freePort() };
  const child = await launch(options, port, ui);
  const address = `127.0.0.1:${port}`;
  const connection = connect(address);
  let watch: NodeJS.Timeout | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(watch);
    const ended = child.stop(STOP_LIMIT_MS);
    // A suspended process gets SIGTERM only after SIGCONT.
    child.signal('SIGCONT');
    await Promise.all([ended, connection.close()]);
  };
  const end = performance.now() + START_LIMIT_MS;
  while (!child.hasEnded() && performance.now() < end && !signal.aborted) {
    if (await prepareNamespace(connection, namespace)) {
      const ended = child.ended.then(async () => `Temporal ended: ${await lastWord()}`);
      const gone = new Promise<string>((resolve) => {
        watch = setInterval(() => {
          void isNamespaceGone(connection, namespace).then((isGone) => {
            if (isGone) resolve(`The namespace ${namespace} was gone.`);
          });
        }, NAMESPACE_INTERVAL_MS);
      });
      return { address, ui, lost: Promise.race([ended, gone]), stop };
    }
    await sleep(POLL_MS);
  }
  await stop();
  signal.throwIfAborted();
  throw await startFailure(options, await lastWord());
}

async function launch(
  { stateDir, program, searchPath = '', namespace }: TemporalOptions,
  port: number,
  ui: Temporal['ui'],
) {
  const { database, temporalLog, temporalLock } = statePaths(stateDir);
  const lock = await lockDatabase(temporalLock);
  try {
    const args = [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
      ...['--ui-ip', ui.host, '--ui-port', String(ui.port)],
      ...['--db-filename', database, '--namespace', namespace, '--log-level', 'warn'],
      // Temporal's HTTP API would answer pages of any site. No page has this host.
      ...['--dynamic-config-value', 'frontend.httpAllowedHosts=["disabled.invalid"]'],
    ];
    return await startChild([program, ...args], {
      folder: stateDir,
      env: { PATH: searchPath, HOME: homedir() },
      stdout: temporalLog,
      stderr: temporalLog,
      holds: lock,
      isPrivate: true,
    });
  } finally {
    closeSync(lock);
  }
}

/**
 * Two Temporal servers would open the same database without an error. So a server has this lock for as long as it runs.
 * If its host is killed, the server ends at once (`startChild`).
 */
async function lockDatabase(path: string): Promise<number> {
  const end = performance.now() + STOP_LIMIT_MS;
  for (;;) {
    const lock = takeLock(path);
    if (lock !== undefined) return lock;
    if (performance.now() > end) break;
    await sleep(POLL_MS);
  }
  const hint = `\`fuser ${path}\` names it; end it, then try again.`;
  const message = 'A Temporal server that an earlier host started still runs, and does not end.';
  throw new LonghaulError('EMBEDDED_FAILED', message, { hint });
}

/** On Linux a random one of 16 million addresses, so that a page of another site cannot guess that of the Web UI. */
function uiHost(): string {
  const byte = (): number => randomInt(1, 255);
  return process.platform === 'linux' ? `127.${byte()}.${byte()}.${byte()}` : '127.0.0.1';
}

function connect(address: string): Connection {
  return Connection.lazy({
    address,
    // The loop in `startTemporal` repeats calls itself.
    interceptors: [],
    channelArgs: {
      // A proxy of the environment cannot reach this machine's loopback.
      'grpc.enable_http_proxy': 0,
      // By default, gRPC tries again only after a second.
      'grpc.initial_reconnect_backoff_ms': POLL_MS,
      'grpc.max_reconnect_backoff_ms': POLL_MS,
    },
  });
}

/** Sets what runs need of the namespace. @returns false if no server answers yet, or if it lacks the namespace. */
async function prepareNamespace(connection: Connection, namespace: string): Promise<boolean> {
  const { workflowService, operatorService } = connection;
  const config = { workflowExecutionRetentionTtl: msNumberToTs(RETENTION_MS) };
  const prepared = connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
    await workflowService.updateNamespace({ namespace, config });
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: SEARCH_ATTRIBUTE_TYPES,
    });
  });
  return await prepared.then(
    () => true,
    () => false,
  );
}

/** `grpc.status.NOT_FOUND`. */
const NOT_FOUND = 5;

/** True only if the server says so. A server that does not answer may be slow or suspended. */
async function isNamespaceGone(connection: Connection, namespace: string): Promise<boolean> {
  const described = connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
    await connection.workflowService.describeNamespace({ namespace });
  });
  return await described.then(
    () => false,
    (error: unknown) => (error as { code?: unknown }).code === NOT_FOUND,
  );
}

async function startFailure(options: TemporalOptions, lastWord: string): Promise<Error> {
  const { database } = statePaths(options.stateDir);
  // A database has no tables if Temporal was killed while it made them.
  if (/not a database|malformed|no such table/i.test(lastWord)) await setAside(options);
  if (/readonly database|read-only file system|permission denied/i.test(lastWord)) {
    return new LonghaulError('LAKE_NOT_WRITABLE', `Temporal cannot write ${database}: ${lastWord}`);
  }
  return new Error(`Temporal did not start; its last word: ${lastWord}`);
}

async function setAside({ stateDir, onNote }: TemporalOptions): Promise<void> {
  const { database } = statePaths(stateDir);
  const aside = `${database}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  await rename(database, aside);
  for (const suffix of ['-wal', '-shm', '-journal']) {
    await rename(database + suffix, aside + suffix).catch(() => undefined);
  }
  onNote(
    `Temporal's database was damaged and lies in ${aside} now. The lake does not need it; schedules do: \`longhaul schedule apply\` makes them again`,
  );
}

/** SQLite, its journal and the logs need about this much. */
const ROOM_BYTES = 1024 * 1024;

/** True if Temporal's output or the file system says that the disk is full. */
export async function isDiskFull(folder: string, failure: Error): Promise<boolean> {
  if (failure instanceof LonghaulError) return failure.code === 'DISK_FULL';
  if (/disk is full|no space left|ENOSPC|EDQUOT/i.test(failure.message)) return true;
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < ROOM_BYTES;
}

/** Characters. It fills two or three lines of a terminal. */
const MAX_LOG_LINE_LENGTH = 200;

async function endOfLog(path: string, start: number): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const lines = bytes.subarray(start).toString('utf8').trim().split('\n');
  // A stack trace follows the line of a panic.
  const line = lines.find((each) => each.startsWith('panic:')) ?? lines.at(-1) ?? '';
  return printable(line.slice(-MAX_LOG_LINE_LENGTH)) || 'nothing';
}
