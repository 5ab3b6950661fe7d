import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageToolsDir } from '../programs/tools-folder.ts';
import type { TemporalPorts } from './free-ports.ts';
import { takeLock, type GenerationLock } from './generation-lock.ts';
import { HostRecordWriter, toHostError, type HostChange } from './host-record.ts';
import { Presence } from './presence.ts';
import { statePaths } from './state-files.ts';
import { superviseWorker, type RunWorker } from './supervision.ts';
import { findTemporal } from './temporal-process.ts';
import { locateTemporal } from './temporal-program.ts';
import { startOrAdoptTemporal, type TemporalServer } from './temporal-server.ts';

export interface HostOptions {
  stateDir: string;
  /** Of this program. */
  version: string;
  /** The lake in S3 that the worker reaches, for the commands that join it; none without a bucket. */
  s3Place?: string | undefined;
  /** Fingerprints of the settings that the worker's work depends on; see `JoinOptions`. */
  settings?: Readonly<Record<string, string>>;
  temporal: {
    /** TEMPORAL_CLI. */
    cli?: string | undefined;
    /** PATH. */
    searchPath?: string | undefined;
    /** Default: `.tools` of this package, then `tools` in the state folder. */
    toolsDirs?: readonly string[];
    /** Wishes. Default: the ports that people know from Temporal's own documentation. */
    ports?: readonly TemporalPorts[];
  };
  runWorker: RunWorker;
}

/**
 * The host process of a state folder: holds its lock, its Temporal server and its worker, until nobody uses
 * them. The process is to exit when this ends, since a worker that does not stop is left behind.
 * @returns `already-running` where another host has the lock.
 * @throws what made it fail, after writing it into `host.json` for the commands that wait.
 */
export async function runHost(options: HostOptions): Promise<'stopped' | 'already-running'> {
  const attempt = await takeLock(statePaths(options.stateDir).locks);
  if (!('taken' in attempt)) {
    log(`Process ${attempt.holder.pid} is the host already`);
    return 'already-running';
  }
  await new Host(options).run(attempt.taken);
  return 'stopped';
}

/** Temporal and the worker are started again when they fail, but not for ever: this often in a host's life. */
const MAX_RESTARTS = 3;
const RESTART_DELAY_MS = 1000;
const KNOWN_PORTS: readonly TemporalPorts[] = [{ port: 7233, uiPort: 8233 }];

class Host {
  readonly #options: HostOptions;
  readonly #record: HostRecordWriter;
  readonly #presence: Presence;

  constructor(options: HostOptions) {
    this.#options = options;
    const { stateDir, version, s3Place } = options;
    const started = s3Place === undefined ? { version } : { version, s3Place };
    this.#record = new HostRecordWriter(stateDir, started);
    this.#presence = new Presence(options.stateDir, this.#record);
  }

  async run(lock: GenerationLock): Promise<void> {
    const { stateDir } = this.#options;
    log(`Host of ${stateDir}, process ${process.pid}, lock generation ${lock.generation}`);
    try {
      await this.#record.write();
      await this.#serve();
      await this.#end({ status: 'stopped' });
    } catch (error) {
      log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      await this.#end({
        status: 'failed',
        error: toHostError(error, statePaths(stateDir).hostLog),
      });
      throw error;
    } finally {
      this.#presence.close();
      await lock.release();
    }
  }

  async #serve(): Promise<void> {
    const { signal } = this.#presence;
    for (let restarts = 0; ; restarts += 1) {
      const server = await this.#startTemporal();
      if (!server) return;
      const { failure } = await this.#serveWorker(server);
      if (failure) log(`Ended with: ${failure.message}`);
      if (signal.aborted) return;
      if (failure && restarts >= MAX_RESTARTS) throw failure;
      await this.#record.write({ status: 'starting', note: 'Starting again after a failure' });
      await sleep(RESTART_DELAY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Undefined when asked to stop meanwhile. */
  async #startTemporal(): Promise<TemporalServer | undefined> {
    const { stateDir, temporal } = this.#options;
    const { signal } = this.#presence;
    const toolsDirs = temporal.toolsDirs ?? [packageToolsDir(), join(stateDir, 'tools')];
    const onNote = (note: string): void => this.#note(note);
    try {
      return await startOrAdoptTemporal({
        stateDir,
        preferredPorts: temporal.ports ?? KNOWN_PORTS,
        program: async () => await locateTemporal({ ...temporal, toolsDirs, onNote, signal }),
        onNote,
        signal,
      });
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  async #serveWorker(server: TemporalServer): Promise<{ failure?: Error }> {
    const { address, uiUrl } = server;
    await this.#record.write({ address, uiUrl, note: 'Starting the worker' });
    return await superviseWorker(server, this.#options.runWorker, this.#presence.signal, () => {
      log(`Ready at ${address}, Web UI ${uiUrl}`);
      void this.#record.write({ status: 'ready', note: '' }).catch(logError);
    });
  }

  async #end(change: HostChange): Promise<void> {
    this.#presence.stop('it failed');
    log(`Stopping: ${String(this.#presence.signal.reason)}`);
    await this.#record.write({ stopping: true }).catch(logError);
    try {
      const temporal = await findTemporal(this.#options.stateDir);
      await temporal?.stop();
    } catch (error) {
      logError(error);
    }
    await this.#record.write({ ...change, stopping: false }).catch(logError);
  }

  #note(note: string): void {
    log(note);
    void this.#record.write({ note }).catch(logError);
  }
}

function logError(error: unknown): void {
  log(String(error));
}

/** A host's standard output is its log file. */
function log(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}
