import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { locateTemporal } from '../programs/temporal.ts';
import { packageToolsDir } from '../programs/tools-folder.ts';
import { Door } from './door.ts';
import { takeHostLock, type HostLock } from './lifeline.ts';
import type { HostState } from './protocol.ts';
import { makeStateDir, statePaths } from './state-files.ts';
import { isDiskFull, startTemporal, type Temporal } from './temporal.ts';
import { isNamespaceGone, readTemporalRecord, type TemporalRecord } from './temporal-namespace.ts';
import { openUiDoor, type UiDoor } from './ui-door.ts';
import { aborted, superviseWorker, type RunWorker } from './worker.ts';

export interface HostOptions {
  stateDir: string;
  /** Of this program. */
  version: string;
  /** Fingerprints of the settings that the worker's work depends on; see `JoinOptions`. */
  settings?: Readonly<Record<string, string>>;
  /** XDG_RUNTIME_DIR: where the socket lies when the state folder cannot hold it. */
  runtimeDir?: string | undefined;
  temporal: {
    /** TEMPORAL_CLI. */
    cli?: string | undefined;
    /** PATH. */
    searchPath?: string | undefined;
    /** Default: `.tools` of this package, then `tools` in the state folder. */
    toolsDirs?: readonly string[];
    /** Wishes. Default: the ports that people know from Temporal's own documentation. */
    ports?: { server: readonly number[]; ui: readonly number[] };
  };
  runWorker: RunWorker;
}

/**
 * The host process of a state folder: its Temporal server, and its worker once a command needs one, until no command
 * uses them. The process is to exit when this ends, since a worker that does not stop is left behind.
 * @returns `already-running` where another host has the lock.
 * @throws what made it fail, after telling the commands that wait.
 */
export async function runHost(options: HostOptions): Promise<'stopped' | 'already-running'> {
  const { stateDir } = options;
  await makeStateDir(stateDir);
  const lock = await takeHostLock(stateDir);
  if (!lock) {
    log('Another process is the host already');
    return 'already-running';
  }
  log(`Host of ${stateDir}, process ${process.pid}`);
  try {
    await new Host(options).run(lock);
    return 'stopped';
  } finally {
    await lock.release();
  }
}

const KNOWN_PORTS = { server: [7233], ui: [8233] };
/** The first pause after a failure; each one that follows is twice as long. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 60_000;
/** One that served this long starts counting anew. */
const STEADY_MS = 60_000;
/** Trouble that passes by itself, a full disk, is waited for; any other ends the host after so many restarts. */
const MAX_RESTARTS = 3;
/** Its folder's and its namespace's end are seen within these times. */
const FOLDER_INTERVAL_MS = 1000;
const NAMESPACE_INTERVAL_MS = 5000;

class Host {
  readonly #options: HostOptions;
  readonly #stop = new AbortController();
  #door!: Door;
  #ui!: UiDoor;
  #record!: TemporalRecord;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  async run(lock: HostLock): Promise<void> {
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
    const { isCopy, ...record } = await readTemporalRecord(stateDir);
    const { namespace } = record;
    this.#door = await Door.open({
      stateDir,
      runtimeDir,
      state: { version, namespace, settings },
      onStop: (why) => this.#stop.abort(why),
      onError: (error) => log(String(error)),
    });
    const { signal } = this.#stop;
    const tellStop = (): void =>
      void this.#door.tell({ status: 'stopping', note: String(signal.reason) });
    if (signal.aborted) tellStop();
    else signal.addEventListener('abort', tellStop, { once: true });
    if (isCopy) {
      this.#note(
        'This state folder is a copy: its runs and schedules stay with the original; `longhaul schedule apply` makes schedules here',
      );
    }
    const wishes = temporal.ports ?? KNOWN_PORTS;
    this.#ui = await openUiDoor([...(record.uiPort ? [record.uiPort] : []), ...wishes.ui]);
    this.#record = { ...record, uiPort: this.#ui.port };
  }

  async #serve(): Promise<void> {
    const { signal } = this.#stop;
    for (let restarts = 0; !signal.aborted; restarts += 1) {
      const begin = performance.now();
      const failure = await this.#serveOnce();
      if (signal.aborted || !failure) return;
      if (performance.now() - begin > STEADY_MS) restarts = 0;
      const passes = await this.#mayPass(failure);
      if (signal.aborted) return;
      if (!passes && (failure instanceof LonghaulError || restarts >= MAX_RESTARTS)) throw failure;
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** restarts, MAX_PAUSE_MS);
      log(`Starting again in ${pause / 1000} s after: ${failure.message}`);
      const note = passes
        ? `The disk is full; trying again in ${Math.ceil(pause / 1000)} s: ${failure.message}`
        : `Starting again after a failure: ${failure.message}`;
      void this.#door.tell({ status: 'starting', worker: 'none', note });
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns what made it end, where a restart may help. */
  async #serveOnce(): Promise<Error | undefined> {
    let temporal: Temporal | undefined;
    try {
      temporal = await this.#startTemporal();
      this.#stop.signal.throwIfAborted();
      this.#ui.target = temporal.ui;
      const { address } = temporal;
      const uiUrl = `http://127.0.0.1:${this.#ui.port}`;
      log(`Temporal at ${address}, Web UI ${uiUrl}, namespace ${this.#record.namespace}`);
      void this.#door.tell({ status: 'ready', address, uiUrl, note: '' });
      return await this.#useTemporal(temporal);
    } catch (error) {
      if (this.#stop.signal.aborted) return undefined;
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#ui.target = undefined;
      await temporal?.stop();
    }
  }

  async #startTemporal(): Promise<Temporal> {
    const { stateDir, temporal } = this.#options;
    const { signal } = this.#stop;
    const toolsDirs = temporal.toolsDirs ?? [packageToolsDir(), join(stateDir, 'tools')];
    const onNote = (note: string): void => this.#note(note);
    const program = await locateTemporal({ ...temporal, toolsDirs, onNote, signal });
    return await startTemporal({
      stateDir,
      program,
      searchPath: temporal.searchPath,
      record: this.#record,
      ports: (temporal.ports ?? KNOWN_PORTS).server,
      onNote,
      signal,
    });
  }

  /** Until it ends, or the worker does, or the host is to. */
  async #useTemporal({ address, ended }: Temporal): Promise<Error | undefined> {
    const { namespace } = this.#record;
    const lost = new AbortController();
    void ended.then((why) => lost.abort(new Error(why)));
    const watch = setInterval(() => {
      void isNamespaceGone(address, namespace).then((isGone) => {
        if (isGone) lost.abort(new Error(`Its namespace ${namespace} was gone.`));
      });
    }, NAMESPACE_INTERVAL_MS);
    const signal = AbortSignal.any([this.#stop.signal, lost.signal]);
    try {
      await Promise.race([this.#door.workerWanted, aborted(signal)]);
      if (!signal.aborted) {
        void this.#door.tell({ worker: 'starting', note: 'Starting the worker' });
        const onReady = (): void => void this.#door.tell({ worker: 'ready', note: '' });
        const { runWorker } = this.#options;
        const failure = await superviseWorker(runWorker, { address, namespace }, signal, onReady);
        if (failure) return failure;
      }
      return lost.signal.aborted ? (lost.signal.reason as Error) : undefined;
    } finally {
      clearInterval(watch);
    }
  }

  async #mayPass(failure: Error): Promise<boolean> {
    if (failure instanceof LonghaulError && failure.code === 'DISK_FULL') return true;
    return await isDiskFull(this.#options.stateDir, failure.message).catch(() => false);
  }

  async #watchFolder(lock: HostLock): Promise<void> {
    const isThere = await lock.isThere().catch(() => true);
    if (!isThere) this.#stop.abort(`${this.#options.stateDir} was removed, or moved away.`);
  }

  async #end(change: Partial<HostState>): Promise<void> {
    log(`Ended: ${change.error?.message ?? change.note ?? ''}`);
    await this.#door?.tell(change);
    await this.#door?.close();
  }

  #note(note: string): void {
    log(note);
    void this.#door.tell({ note });
  }

  #toError(error: unknown): NonNullable<HostState['error']> {
    const { hostLog } = statePaths(this.#options.stateDir);
    const hint = `Its log is ${hostLog}; \`longhaul down\`, then try again.`;
    if (!(error instanceof LonghaulError)) {
      return {
        code: 'EMBEDDED_FAILED',
        message: `The embedded host failed: ${String(error)}`,
        hint,
      };
    }
    const { code, message, details } = error;
    const better = details.hint ?? (code === 'EMBEDDED_FAILED' ? hint : undefined);
    return { code, message, hint: better };
  }
}

/** A host's standard output is its log file. */
function log(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}
