import { randomInt } from 'node:crypto';
import { readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { startChild, type Child } from './child.ts';
import { freePorts } from './free-ports.ts';
import { holdLifeline, isHeld } from './lifeline.ts';
import { rotateLog, statePaths } from './state-files.ts';
import {
  prepareNamespace,
  writeTemporalRecord,
  type TemporalRecord,
} from './temporal-namespace.ts';

/** The one Temporal server of a state folder. It ends with this process, however that ends. */
export interface Temporal {
  /** `host:port`. */
  address: string;
  /** Its own Web UI, behind the host's door. */
  ui: { host: string; port: number };
  /** With why, in words. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

export interface TemporalOptions {
  stateDir: string;
  /** The path of the program. */
  program: string;
  /** PATH, for a program that is a script. */
  searchPath: string | undefined;
  /** The start is noted in it. */
  record: TemporalRecord;
  /** Wishes, after the last port; one that is taken is passed over. */
  ports: readonly number[];
  onNote: (note: string) => void;
  /** Gives up waiting, and stops what was started. */
  signal: AbortSignal;
}

/** It takes about 1 s; a laptop under load, with a big database, takes longer. */
const START_LIMIT_MS = 60_000;
/** Temporal stops in about 1 s; on a loaded machine it may take longer. */
const STOP_LIMIT_MS = 15_000;
const POLL_MS = 50;
/** Another program may take a port between the look and the start, those that Temporal picks for itself too. */
const START_ATTEMPTS = 3;
/** SQLite, its journal and the logs. */
const ROOM_BYTES = 1024 * 1024;

/**
 * Starts Temporal, ready for use. The caller holds the host's lock.
 * @throws LonghaulError DISK_FULL, LAKE_NOT_WRITABLE; EMBEDDED_FAILED with the end of Temporal's log.
 */
export async function startTemporal(options: TemporalOptions, attempt = 1): Promise<Temporal> {
  const { stateDir, record, signal } = options;
  await endEarlier(stateDir, record);
  const { temporalLog } = statePaths(stateDir);
  await rotateLog(temporalLog);
  const logStart = (await stat(temporalLog).catch(() => undefined))?.size ?? 0;
  const lastWord = async (): Promise<string> => await endOfLog(temporalLog, logStart);
  const known = [...(record.port === undefined ? [] : [record.port]), ...options.ports];
  const wishes = attempt === 1 ? known : [];
  const { port, uiPort } = await freePorts(wishes.map((each) => ({ port: each, uiPort: 0 })));
  const ui = { host: uiHost(), port: uiPort };
  const child = await launch(options, port, ui);
  const address = `127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    const ended = child.stop(STOP_LIMIT_MS);
    // One that was suspended hears it only when it goes on.
    child.signal('SIGCONT');
    await ended;
    await removeLifeline(stateDir);
  };
  const end = performance.now() + START_LIMIT_MS;
  while (!child.hasEnded() && performance.now() < end && !signal.aborted) {
    if (await prepareNamespace(address, record.namespace)) {
      const ended = child.ended.then(async () => `Temporal ended: ${await lastWord()}`);
      return { address, ui, ended, stop };
    }
    await sleep(POLL_MS);
  }
  await stop();
  signal.throwIfAborted();
  if (/not a database|malformed/i.test(await lastWord())) {
    await setAside(options);
    return await startTemporal(options);
  }
  const failure = await startFailure(stateDir, await lastWord());
  if (failure.code !== 'EMBEDDED_FAILED' || attempt >= START_ATTEMPTS) throw failure;
  options.onNote('Temporal did not come up; trying again on other ports');
  return await startTemporal(options, attempt + 1);
}

/**
 * Two on one database would open it without complaint. A Temporal whose host was killed ends by itself at that moment
 * (`startChild`); its lifeline says when it has, and one whose guard was killed too is ended here.
 */
async function endEarlier(stateDir: string, { pid }: TemporalRecord): Promise<void> {
  const { temporalAlive } = statePaths(stateDir);
  const begin = performance.now();
  while (await isHeld(temporalAlive)) {
    const waited = performance.now() - begin;
    if (waited > STOP_LIMIT_MS) {
      const hint = `\`fuser ${temporalAlive}\` names it; end it, then try again.`;
      const message =
        'A Temporal server that an earlier host started still runs, and does not end.';
      throw new LonghaulError('EMBEDDED_FAILED', message, { hint });
    }
    if (waited > GUARD_LIMIT_MS && pid !== undefined) killGroup(pid);
    await sleep(POLL_MS);
  }
}

/** A FIFO that stays would make programs wait that read every file of a lake. One that is held is for the next start. */
async function removeLifeline(stateDir: string): Promise<void> {
  const { temporalAlive } = statePaths(stateDir);
  if (await isHeld(temporalAlive).catch(() => true)) return;
  await rm(temporalAlive, { force: true }).catch(() => undefined);
}

/** The guard of `startChild` takes milliseconds. */
const GUARD_LIMIT_MS = 1000;

/** The number cannot have gone to others: its lifeline says that one of the group lives. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended between the look and the signal.
  }
}

async function launch(
  { stateDir, program, searchPath = '', record }: TemporalOptions,
  port: number,
  ui: Temporal['ui'],
): Promise<Child> {
  const paths = statePaths(stateDir);
  record.port = port;
  // The pid of the last one may belong to a stranger by now.
  delete record.pid;
  await writeTemporalRecord(stateDir, record);
  const lifeline = await holdLifeline(paths.temporalAlive);
  try {
    const child = await startChild({
      program: '/bin/sh',
      // The database is for this user alone.
      args: ['-c', 'umask 077; exec "$@"', 'temporal', program, ...serverArguments(paths.database)],
      env: { PATH: searchPath, HOME: homedir() },
      folder: stateDir,
      stdout: paths.temporalLog,
      stderr: paths.temporalLog,
      holds: lifeline.fd,
    });
    record.pid = child.pid;
    // Without it only the guard of `startChild` ends a Temporal whose host was killed.
    await writeTemporalRecord(stateDir, record).catch(() => undefined);
    return child;
  } finally {
    await lifeline.close();
  }

  function serverArguments(database: string): string[] {
    return [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
      ...['--ui-ip', ui.host, '--ui-port', String(ui.port)],
      ...['--db-filename', database, '--namespace', record.namespace, '--log-level', 'warn'],
      // Its HTTP API answers pages of any site: no page has this host.
      ...['--dynamic-config-value', 'frontend.httpAllowedHosts=["disabled.invalid"]'],
    ];
  }
}

/** On Linux any of 16 million addresses, so that a page of another site cannot guess where the unguarded Web UI is. */
function uiHost(): string {
  const byte = (): number => randomInt(1, 255);
  return process.platform === 'linux' ? `127.${byte()}.${byte()}.${byte()}` : '127.0.0.1';
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

async function startFailure(stateDir: string, lastWord: string): Promise<LonghaulError> {
  const { database, temporalLog } = statePaths(stateDir);
  if (await isDiskFull(stateDir, lastWord)) {
    return new LonghaulError('DISK_FULL', `The disk of ${stateDir} is full: ${lastWord}`);
  }
  if (/readonly database|read-only file system|permission denied/i.test(lastWord)) {
    return new LonghaulError('LAKE_NOT_WRITABLE', `Temporal cannot write ${database}: ${lastWord}`);
  }
  const hint = `Its log is ${temporalLog}.`;
  const message = `Temporal did not start; its last word: ${lastWord}`;
  return new LonghaulError('EMBEDDED_FAILED', message, { hint });
}

/** By what a program said, or by what there is. */
export async function isDiskFull(folder: string, said: string): Promise<boolean> {
  if (/disk is full|no space left|ENOSPC|EDQUOT/i.test(said)) return true;
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < ROOM_BYTES;
}

/** Two lines of a terminal. */
const MAX_LOG_LINE_LENGTH = 200;

async function endOfLog(path: string, start: number): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const lines = bytes.subarray(start).toString('utf8').trim().split('\n');
  // Below a panic stands its trace.
  const line = lines.find((each) => each.startsWith('panic:')) ?? lines.at(-1) ?? '';
  return printable(line.slice(-MAX_LOG_LINE_LENGTH)) || 'nothing';
}
