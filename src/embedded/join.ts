import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { lockHolder } from './generation-lock.ts';
import { fromHostError, readHostRecord, type HostRecord } from './host-record.ts';
import { startHost, type HostCommand, type StartedHost } from './host-launch.ts';
import { enter, isInUse, membershipOf } from './membership.ts';
import { LOOK_SIGNAL } from './presence.ts';
import { livenessOf, type ProcessIdentity } from './process-identity.ts';
import { statePaths } from './state-files.ts';
import { EMBEDDED_NAMESPACE } from './temporal-namespace.ts';

export interface JoinOptions {
  stateDir: string;
  /** How to start the host process where none runs: the module that calls `runHost`, and its arguments. */
  host: HostCommand;
  /** Of this program: a note says when the running server is of another one. */
  version?: string;
  /** False: the command only asks, so the host starts Temporal and no worker for it. Default: true. */
  needsWorker?: boolean;
  /**
   * Fingerprints of the settings that a worker's work depends on: name of the setting → hash. A command that needs the
   * worker, and differs from the running host, is refused with CONFIG_INVALID that names them.
   */
  settings?: Readonly<Record<string, string>>;
  /** A foreground `longhaul up`: `longhaul down` asks it to leave (`EmbeddedServer.stopped`), and waits for no other reason. */
  isUp?: boolean;
  /** What takes time, for people. */
  onNote?: (note: string) => void;
  /** Gives up waiting. */
  signal?: AbortSignal;
}

/** Where a server is. */
export interface EmbeddedAddress {
  /** `host:port`. */
  address: string;
  /** Of this state folder alone. */
  namespace: string;
  uiUrl: string;
}

/** Its address is as it was at the join. */
export interface EmbeddedServer extends EmbeddedAddress {
  /** The lake in S3 that its worker reaches: of the settings that it was started with. */
  s3Place: string | undefined;
  /**
   * Where the server is now: waits until the host's Temporal answers, after a restart perhaps on another port.
   * @throws LonghaulError as `joinEmbedded` does; CANCELLED.
   */
  current(signal?: AbortSignal): Promise<EmbeddedAddress>;
  /** Resolves, with why in words, when `longhaul down` asks this `up` to leave, or stops the server under this command. */
  stopped: Promise<string>;
  /** The last one to leave waits until the server has stopped. Leaving twice does no harm. */
  leave(): Promise<void>;
}

/**
 * Uses the embedded server of a state folder until `leave`: the one that runs, else one started now. A process
 * that dies instead of leaving is noticed.
 * @throws LonghaulError EMBEDDED_FAILED, TEMPORAL_NOT_INSTALLED, CANCELLED, or what made the worker fail.
 */
export async function joinEmbedded(options: JoinOptions): Promise<EmbeddedServer> {
  const { stateDir } = options;
  const exit = await enter(stateDir);
  const guarding = new AbortController();
  const leave = once(async () => {
    guarding.abort();
    await exit();
    await stopIfUnused(stateDir);
  });
  try {
    const { address = '', uiUrl = '', version, s3Place } = await readyHost(options);
    if (options.version !== undefined && options.version !== version) {
      const advice = '`longhaul down` and the next command start it anew';
      options.onNote?.(
        `The running server is of version ${version}, this is ${options.version}: ${advice}`,
      );
    }
    let tellStopped = (_why: string): void => undefined;
    const stopped = new Promise<string>((resolve) => (tellStopped = resolve));
    void guardHost(options, guarding.signal, tellStopped);
    const current = async (signal?: AbortSignal): Promise<EmbeddedAddress> => {
      const host = await readyHost({ ...options, ...(signal && { signal }) });
      return {
        address: host.address ?? '',
        uiUrl: host.uiUrl ?? '',
        namespace: EMBEDDED_NAMESPACE,
      };
    };
    return { address, uiUrl, s3Place, namespace: EMBEDDED_NAMESPACE, current, stopped, leave };
  } catch (error) {
    await leave();
    throw error;
  }
}

/** Asks the host to look whether anybody uses it, and waits for its end if nobody does. */
export async function stopIfUnused(stateDir: string): Promise<void> {
  await signalUntilGone(stateDir, LOOK_SIGNAL, async () => isInUse(await membershipOf(stateDir)));
}

/** Signals the host once it listens, and waits for its end, or until `enough`. */
export async function signalUntilGone(
  stateDir: string,
  signal: NodeJS.Signals,
  enough: () => Promise<boolean>,
): Promise<void> {
  const host = await lockHolder(statePaths(stateDir).locks);
  if (!host) return;
  const end = performance.now() + LEAVE_LIMIT_MS;
  let signalled = false;
  // Until the process has gone, not only its lock: nothing of this program is to be left running.
  while (performance.now() < end && livenessOf(host) === 'alive') {
    if (await enough()) return;
    // The holder may be another command that ends what was left; a host's record says that it listens.
    if (!signalled && isSame(await readHostRecord(stateDir), host))
      signalled = signalProcess(host, signal);
    await sleep(POLL_MS);
  }
}

export async function isHolder(stateDir: string, host: ProcessIdentity): Promise<boolean> {
  return isSame(await lockHolder(statePaths(stateDir).locks), host);
}

function signalProcess({ pid }: ProcessIdentity, signal: NodeJS.Signals): true {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
  return true;
}

/**
 * A host that is killed under its members is started again by one of them, and takes over the Temporal that it
 * left: their runs go on. One that was told to stop says so in its record, and is left alone.
 */
async function guardHost(
  options: JoinOptions,
  signal: AbortSignal,
  tellStopped: (why: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(GUARD_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted || (await runningHost(options.stateDir))) continue;
    const record = await readHostRecord(options.stateDir);
    if (record?.status === 'stopped') tellStopped('The server was stopped.');
    if (record?.status !== 'ready' && record?.status !== 'starting') continue;
    options.onNote?.('The embedded worker was killed; starting it again');
    await readyHost({ ...options, signal }).catch(() => undefined);
  }
}

const POLL_MS = 50;
/** Soon enough that a run loses less than its heartbeat timeout. */
const GUARD_INTERVAL_MS = 1000;
/** A worker may take its grace time, and Temporal some seconds; a host that takes longer is left to itself. */
const LEAVE_LIMIT_MS = 120_000;
/** Another command may take and lose the lock between two looks; a host that cannot start says why. */
const MAX_STARTS = 5;

async function readyHost(options: JoinOptions): Promise<HostRecord> {
  const { stateDir, onNote, signal } = options;
  let started: StartedHost | undefined;
  let starts = 0;
  let note = '';
  for (;;) {
    if (signal?.aborted) {
      throw new LonghaulError('CANCELLED', 'Stopped waiting for the embedded server.');
    }
    const host = await runningHost(stateDir);
    if (host?.status === 'ready') return host;
    if (host?.note && host.note !== note) onNote?.((note = host.note));
    if (host === undefined && started?.ended() !== false) {
      await throwIfFailed(stateDir, started);
      if (starts >= MAX_STARTS) throw notStarted(stateDir);
      started = await startHost(stateDir, options.host);
      starts += 1;
    }
    await sleep(POLL_MS);
  }
}

/** `starting` where a host has the lock and has not yet said more. */
export async function runningHost(stateDir: string): Promise<HostRecord | undefined> {
  const holder = await lockHolder(statePaths(stateDir).locks);
  if (!holder) return undefined;
  const record = await readHostRecord(stateDir);
  return isSame(record, holder) ? record : { ...holder, status: 'starting', version: '' };
}

async function throwIfFailed(stateDir: string, started: StartedHost | undefined): Promise<void> {
  if (!started) return;
  const record = await readHostRecord(stateDir);
  if (record?.pid === started.pid && record.error) throw fromHostError(record.error);
  if (started.failed()) throw notStarted(stateDir);
}

function isSame<T extends ProcessIdentity>(one: T | undefined, other: ProcessIdentity): one is T {
  return one?.pid === other.pid && one.startTime === other.startTime;
}

function notStarted(stateDir: string): LonghaulError {
  const { hostLog } = statePaths(stateDir);
  const hint = `Its log is ${hostLog}; \`longhaul down\`, then try again.`;
  return new LonghaulError('EMBEDDED_FAILED', 'The embedded server ended before it was ready.', {
    hint,
  });
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => await (done ??= work());
}
