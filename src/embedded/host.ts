import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { locateTemporal } from '../programs/temporal.ts';
import { packageToolsDir } from '../programs/tools-folder.ts';
import { HostSocket } from './host-socket.ts';
import { takeLock, makeStateDir, readFields, statePaths } from './state-files.ts';
import type { HostRecord, HostState } from './protocol.ts';
import { isDiskFull, startTemporal, type Temporal } from './temporal.ts';
import { openUiProxy, type UiProxy } from './loopback.ts';

export interface HostOptions {
  stateDir: string;
  /** The version of this program. */
  version: string;
  /** Fingerprints of the settings that the worker's work depends on; see `JoinOptions`. */
  settings?: Readonly<Record<string, string>>;
  /** XDG_RUNTIME_DIR, for the socket if it cannot be in the state folder. */
  runtimeDir?: string | undefined;
  temporal: {
    /** TEMPORAL_CLI. */
    cli?: string | undefined;
    /** PATH. */
    searchPath?: string | undefined;
    /** Preferred ports. Default: the ports in Temporal's own documentation. */
    ports?: { server: readonly number[]; ui: readonly number[] };
  };
  /** Runs a worker until the signal aborts. Resolves when it has shut down, rejects when it fails. */
  runWorker: (context: WorkerContext) => Promise<void>;
}

export interface WorkerContext {
  address: string;
  namespace: string;
  /** Aborts when the worker must shut down. */
  signal: AbortSignal;
  /** The worker calls this when it polls. Commands wait for it. */
  ready: () => void;
}

/**
 * Runs the host of a state folder until no command uses it: a Temporal server, and a worker as soon as a command needs
 * one. The process must then exit, because that frees the lock and ends the wait of commands. If another host has the
 * lock, does nothing.
 * @throws the error that made the host fail, after it has sent that to the waiting commands.
 */
export async function runHost(options: HostOptions): Promise<void> {
  const { stateDir } = options;
  await makeStateDir(stateDir);
  const lock = takeLock(statePaths(stateDir).hostLock);
  if (lock === undefined) return log('Another process is the host already');
  log(`Host of ${stateDir}, process ${process.pid}`);
  await new Host(options).run(lock);
}

const KNOWN_PORTS = { server: [7233], ui: [8233] };
/** The first pause after a failure. Each further pause is twice as long. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 60_000;
/** If a server ran this long, the host counts its restarts from zero again. */
const STEADY_MS = 60_000;
/** The host waits for as long as a disk is full. Any other failure ends the host after this many restarts. */
const MAX_RESTARTS = 3;
/** The host notices within this time that its folder was removed. */
const FOLDER_INTERVAL_MS = 1000;

class Host {
  readonly #options: HostOptions;
  readonly #stop = new AbortController();
  #socket!: HostSocket;
  #ui!: UiProxy;
  #namespace = '';
  /** Empty after a failed start, because another program may have taken the port between the check and the start. */
  #ports: readonly number[] = [];

  constructor(options: HostOptions) {
    this.#options = options;
  }

  async run(lock: number): Promise<void> {
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => this.#stop.abort(`It received ${name}.`));
    }
    const watch = setInterval(() => void this.#watchFolder(lock), FOLDER_INTERVAL_MS);
    try {
      await this.#open();
      await this.#serve();
      await this.#end({ status: 'stopped', note: String(this.#stop.signal.reason) });
    } catch (error) {
      log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      await this.#end({ status: 'failed', error: this.#toError(error) });
      throw error;
    } finally {
      clearInterval(watch);
    }
  }

  async #open(): Promise<void> {
    const { stateDir, version, settings = {}, runtimeDir, temporal } = this.#options;
    const { signal } = this.#stop;
    const last = await readFields<HostRecord>(statePaths(stateDir).host);
    const { isCopy, ...identity } = await identityOf(stateDir, last);
    this.#namespace = identity.namespace;
    const record: HostRecord = {
      ...identity,
      status: 'starting',
      worker: 'none',
      pid: process.pid,
      version,
      // If a pinned host was killed, its successor is pinned too. Only `down` ends that.
      pinned: last.pinned === true && !isCopy,
      members: [],
      ups: [],
      settings,
      // If this host is killed before it has its own addresses, the next host uses these.
      address: last.address,
      uiUrl: last.uiUrl,
      // The socket of a killed host, so that this one removes it.
      socket: last.inode === identity.inode ? last.socket : undefined,
    };
    const onStop = (why: string): void => this.#stop.abort(why);
    const onError = (error: unknown): void => log(String(error));
    this.#socket = await HostSocket.open({ stateDir, runtimeDir, record, onStop, onError });
    const tellStop = (): void =>
      void this.#socket.announce({ status: 'stopping', note: String(signal.reason) });
    if (signal.aborted) tellStop();
    else signal.addEventListener('abort', tellStop, { once: true });
    if (isCopy) this.#note(COPY_NOTE);
    const wanted = temporal.ports ?? KNOWN_PORTS;
    this.#ports = [...portIn(last.address), ...wanted.server];
    this.#ui = await openUiProxy([...portIn(last.uiUrl), ...wanted.ui]);
  }

  async #serve(): Promise<void> {
    const { signal } = this.#stop;
    for (let restarts = 0; !signal.aborted; restarts += 1) {
      const begin = performance.now();
      const failure = await this.#serveOnce().catch((error: unknown) => error as Error);
      if (signal.aborted || !failure) return;
      if (performance.now() - begin > STEADY_MS) restarts = 0;
      const { stateDir } = this.#options;
      const isFull = await isDiskFull(stateDir, failure).catch(() => false);
      if (!isFull && (failure instanceof LonghaulError || restarts >= MAX_RESTARTS)) throw failure;
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** restarts, MAX_PAUSE_MS);
      log(`Starting again in ${pause / 1000} s after: ${failure.message}`);
      const note = isFull
        ? `The disk is full; trying again in ${Math.ceil(pause / 1000)} s: ${failure.message}`
        : `Starting again after a failure: ${failure.message}`;
      void this.#socket.announce({ status: 'starting', worker: 'none', note });
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Runs Temporal and the worker until the host must end. @throws the failure that ended them before. */
  async #serveOnce(): Promise<void> {
    const temporal = await this.#startTemporal();
    const lost = new AbortController();
    void temporal.lost.then((why) => lost.abort(new Error(why)));
    const signal = AbortSignal.any([this.#stop.signal, lost.signal]);
    try {
      const { address, ui } = temporal;
      this.#ui.target = ui;
      const uiUrl = `http://127.0.0.1:${this.#ui.port}`;
      log(`Temporal at ${address}, Web UI ${uiUrl}, namespace ${this.#namespace}`);
      void this.#socket.announce({ status: 'ready', address, uiUrl, note: '' });
      await Promise.race([this.#socket.workerWanted, signal.aborted || once(signal, 'abort')]);
      if (!signal.aborted) await this.#work(address, signal);
      lost.signal.throwIfAborted();
    } finally {
      this.#ui.target = undefined;
      await temporal.stop();
    }
  }

  async #startTemporal(): Promise<Temporal> {
    const { stateDir, temporal } = this.#options;
    const { cli, searchPath } = temporal;
    const { signal } = this.#stop;
    const toolsDirs = [packageToolsDir(), join(stateDir, 'tools')];
    const onNote = (note: string): void => this.#note(note);
    const program = await locateTemporal({ given: cli, searchPath, toolsDirs, onNote, signal });
    const ports = this.#ports;
    this.#ports = [];
    const namespace = this.#namespace;
    const options = { stateDir, program, searchPath, namespace, ports, onNote, signal };
    const started = await startTemporal(options);
    this.#ports = portIn(started.address);
    return started;
  }

  /** Runs the worker until the signal. @throws LonghaulError if it fails before it is ready: a restart cannot help. */
  async #work(address: string, signal: AbortSignal): Promise<void> {
    void this.#socket.announce({ worker: 'starting', note: 'Starting the worker' });
    let wasReady = false;
    const ready = (): void => {
      wasReady = true;
      if (!signal.aborted) void this.#socket.announce({ worker: 'ready', note: '' });
    };
    try {
      await this.#options.runWorker({ address, namespace: this.#namespace, signal, ready });
    } catch (error) {
      if (signal.aborted) return;
      if (wasReady || error instanceof LonghaulError) throw error;
      const message = `The embedded worker failed: ${messageOf(error)}`;
      throw new LonghaulError('EMBEDDED_FAILED', message, {}, { cause: error });
    }
    if (!signal.aborted) throw new Error('The worker ended by itself.');
  }

  async #watchFolder(lock: number): Promise<void> {
    const { stateDir } = this.#options;
    const found = await stat(statePaths(stateDir).hostLock).catch(() => undefined);
    if (found?.ino === fstatSync(lock).ino) return;
    this.#stop.abort(`${stateDir} was removed, or moved away.`);
  }

  async #end(change: Partial<HostState>): Promise<void> {
    log(`Ended: ${change.error?.message ?? change.note ?? ''}`);
    await this.#socket?.announce(change);
    await this.#socket?.close();
  }

  #note(note: string): void {
    log(note);
    void this.#socket.announce({ note });
  }

  #toError(error: unknown): NonNullable<HostState['error']> {
    const { hostLog } = statePaths(this.#options.stateDir);
    const hint = `Its log is ${hostLog}; \`longhaul down\`, then try again.`;
    if (!(error instanceof LonghaulError)) {
      const message = `The embedded host failed: ${messageOf(error)}`;
      return { code: 'EMBEDDED_FAILED', message, hint };
    }
    const { code, message, details } = error;
    return { code, message, hint: details.hint ?? (code === 'EMBEDDED_FAILED' ? hint : undefined) };
  }
}

const COPY_NOTE =
  'This state folder is a copy: its runs and schedules stay with the original; `longhaul schedule apply` makes schedules here';

/**
 * Each state folder has its own namespace, and keeps it when a user moves the folder. If the original is still there,
 * the folder is a copy and gets another namespace, so that a client never takes one server for the other.
 */
async function identityOf(stateDir: string, last: Partial<HostRecord>) {
  const path = await realpath(stateDir);
  const { ino: inode } = await stat(path);
  const original = await stat(last.path ?? path).catch(() => undefined);
  const isCopy = original?.ino === last.inode && last.inode !== inode;
  const known = isCopy ? undefined : last.namespace;
  const namespace = known ?? `longhaul-${randomBytes(6).toString('hex')}`;
  return { namespace, path, inode, isCopy };
}

/** The port of the last server. The next server uses it again, so that its address stays the same. */
function portIn(url: string | undefined): number[] {
  const port = Number(/:(\d+)$/.exec(url ?? '')?.[1]);
  return port > 0 ? [port] : [];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A host's standard output is its log file. */
function log(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}
