import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { storageError } from '../storage/disk-errors.ts';
import { HostLink } from './host-link.ts';
import type { HostRecord, HostState } from './protocol.ts';
import { makeStateDir, readFields, rotateLog, statePaths } from './state-files.ts';

export interface HostCommand {
  /** Path of the module that Node runs. The module calls `runHost`. */
  entry: string;
  args: readonly string[];
}

export interface JoinOptions {
  stateDir: string;
  /** How to start the host process if none runs. */
  host: HostCommand;
  /** The version of this program. If the running server has another version, a note says so. */
  version?: string;
  /** If false, the command only queries Temporal, so the host starts no worker for it. Default: true. */
  needsWorker?: boolean;
  /**
   * Fingerprints of the settings that the worker's work depends on: name of the setting → hash. If a command needs
   * the worker and has other settings than the running host, it ends with CONFIG_INVALID, which names them.
   */
  settings?: Readonly<Record<string, string>>;
  /** True for a foreground `longhaul up`. `longhaul down` ends it (`EmbeddedServer.stopped`). */
  isUp?: boolean;
  /** Called with text for the user if something takes time. */
  onNote?: (note: string) => void;
  /** If it aborts, the command stops waiting. */
  signal?: AbortSignal;
}

/** The addresses of an embedded server. */
export interface EmbeddedAddress {
  /** `host:port`. */
  address: string;
  /** The namespace of this state folder alone. */
  namespace: string;
  uiUrl: string;
}

/** An embedded server that a command has joined. Its address fields are those at that time. */
export interface EmbeddedServer extends EmbeddedAddress {
  /**
   * The server's present address. Waits until the host's Temporal answers, perhaps on another port after a restart. If
   * the host was killed, starts another.
   * @throws LonghaulError as `joinEmbedded` does; EMBEDDED_STOPPED; CANCELLED.
   */
  current(signal?: AbortSignal): Promise<EmbeddedAddress>;
  /**
   * Resolves with the reason when `longhaul down` ends this `up`, or when the server was stopped. If the host was
   * killed, starts another. @throws the host's error if it ended otherwise and cannot start again.
   */
  stopped(): Promise<string>;
  /** The last command that leaves waits until the server has stopped. Leaving twice does no harm. */
  leave(): Promise<void>;
}

/**
 * Joins the embedded server of a state folder until `leave`, and starts it if none runs. The host notices if a command
 * dies without leaving.
 * @throws LonghaulError EMBEDDED_FAILED, TEMPORAL_NOT_INSTALLED, CONFIG_INVALID, CANCELLED, or the worker's error.
 */
export async function joinEmbedded(options: JoinOptions): Promise<EmbeddedServer> {
  const member = new Member(options);
  try {
    const state = await member.ready(options.signal);
    noteVersion(options, state);
    return {
      ...addressOf(state),
      current: async (signal) => addressOf(await member.ready(signal)),
      stopped: async () => await member.stopped(),
      leave: async () => await member.leave(),
    };
  } catch (error) {
    await member.leave();
    throw error;
  }
}

/** If something kills the host again and again, the command gives up after so many starts. */
const MAX_STARTS = 5;
const FIRST_PAUSE_MS = 100;
const POLL_MS = 25;
/** The worker may need its grace time, and Temporal some seconds. The command does not wait longer for the host. */
const LEAVE_LIMIT_MS = 120_000;

class Member {
  readonly #options: JoinOptions;
  /** If the host stopped or failed, the last link stays here, because it has the reason. */
  #link: HostLink | undefined;
  #joining: Promise<HostState> | undefined;
  #note = '';
  #isLeaving = false;

  constructor(options: JoinOptions) {
    this.#options = options;
  }

  /** Callers at the same time share one connection attempt or one start. */
  async ready(signal: AbortSignal | undefined): Promise<HostState> {
    this.#joining ??= this.#join().finally(() => (this.#joining = undefined));
    if (!signal) return await this.#joining;
    const aborted = signal.aborted ? Promise.resolve() : once(signal, 'abort');
    const cancelled = aborted.then(() => {
      throw new LonghaulError('CANCELLED', 'Stopped waiting for the embedded server.');
    });
    return await Promise.race([this.#joining, cancelled]);
  }

  async stopped(): Promise<string> {
    for (;;) {
      const link = this.#link;
      if (await link?.until(({ leave }) => leave)) return 'It was stopped by `longhaul down`.';
      if (isEnding(link?.state) && !link?.state?.error) return reasonOf(link?.state);
      await this.ready(undefined);
    }
  }

  async leave(): Promise<void> {
    const link = this.#link;
    if (!this.#isLeaving) link?.say({ say: 'leave' });
    this.#isLeaving = true;
    const late = sleep(LEAVE_LIMIT_MS, undefined, { ref: false });
    await Promise.race([link?.until(() => false), late]);
    link?.close();
  }

  async #join(): Promise<HostState> {
    const { needsWorker = true, onNote } = this.#options;
    for (;;) {
      const link = (this.#link ??= await this.#connect());
      const state = await link.until((now) => {
        if (needsWorker) assertSameSettings(this.#options, now);
        return now.status === 'ready' && (!needsWorker || now.worker === 'ready');
      });
      if (state) return state;
      if (this.#isLeaving) throw hasLeft();
      if (link.state?.error) throw ofHost(link.state.error);
      if (isEnding(link.state)) {
        const message = `The embedded server ended: ${reasonOf(link.state)}`;
        throw new LonghaulError('EMBEDDED_STOPPED', message);
      }
      onNote?.('The embedded worker was killed; starting it again');
      this.#link = undefined;
    }
  }

  /** Connects to the running host. If none runs, starts one. */
  async #connect(): Promise<HostLink> {
    const { stateDir, needsWorker = true, isUp } = this.#options;
    let started: ChildProcess | undefined;
    for (let starts = 0; !this.#isLeaving; await sleep(POLL_MS)) {
      const link = await HostLink.connect(stateDir, { role: isUp ? 'up' : 'command', needsWorker });
      link?.on('change', () => this.#hear(link));
      // A host that is stopping accepts no more members, so the command waits for its end.
      if (link && (await link.until((state) => !isEnding(state)))) {
        if (!this.#isLeaving) return link;
        link.close();
      }
      const isComing = started?.exitCode === null && started.signalCode === null;
      if (link || isComing) continue;
      // A host that ended well or was killed is started again. With any other code, a restart would fail too.
      if (started?.exitCode) throw await startFailure(stateDir, started.pid);
      if (starts >= MAX_STARTS) throw notStarted(stateDir);
      if (starts > 0) await sleep(FIRST_PAUSE_MS * 2 ** starts);
      started = await startHost(stateDir, this.#options.host);
      starts += 1;
    }
    throw hasLeft();
  }

  #hear({ state: { note = this.#note } = {} as HostState }: HostLink): void {
    const isNews = note !== '' && note !== this.#note && !this.#isLeaving;
    if (isNews) this.#options.onNote?.(printable(note));
    this.#note = note;
  }
}

/** Starts a host that outlives this process and its terminal. Its output goes to its log. */
async function startHost(stateDir: string, { entry, args }: HostCommand): Promise<ChildProcess> {
  const { hostLog } = statePaths(stateDir);
  await makeStateDir(stateDir);
  await rotateLog(hostLog);
  const log = await open(hostLog, 'a', 0o600).catch((error: unknown) => {
    throw storageError(error, hostLog);
  });
  try {
    const child = spawn(process.execPath, [entry, ...args], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn');
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

async function startFailure(stateDir: string, pid: number | undefined): Promise<LonghaulError> {
  const record = await readFields<HostRecord>(statePaths(stateDir).host);
  return record.pid === pid && record.error ? ofHost(record.error) : notStarted(stateDir);
}

function isEnding(state: HostState | undefined): boolean {
  return state?.status === 'stopping' || state?.status === 'stopped';
}

/** Says why the host ended. */
function reasonOf(state: HostState | undefined): string {
  return printable(state?.note ?? 'It was stopped.');
}

function hasLeft(): LonghaulError {
  return new LonghaulError('CANCELLED', 'This command has left the embedded server.');
}

function assertSameSettings({ settings: ours = {} }: JoinOptions, host: HostState): void {
  const names = Object.keys(ours).filter((name) => host.settings[name] !== ours[name]);
  if (names.length === 0) return;
  const message = `The worker that runs already has other settings than this command: ${names.join(', ')}.`;
  throw new LonghaulError('CONFIG_INVALID', message, {
    hint: '`longhaul down`, then run this again: it starts a worker with these settings.',
  });
}

function noteVersion({ version, onNote }: JoinOptions, host: HostState): void {
  if (version === undefined || version === host.version) return;
  const advice = '`longhaul down` and the next command start it anew';
  onNote?.(`The running server is of version ${host.version}, this is ${version}: ${advice}`);
}

function addressOf({ address = '', uiUrl = '', namespace }: HostState): EmbeddedAddress {
  return { address, uiUrl, namespace };
}

function ofHost({ code, message, hint }: NonNullable<HostState['error']>): LonghaulError {
  return new LonghaulError(code, message, hint === undefined ? {} : { hint });
}

function notStarted(stateDir: string): LonghaulError {
  const { hostLog } = statePaths(stateDir);
  const hint = `Its log is ${hostLog}; \`longhaul down\`, then try again.`;
  const message = 'The embedded server ended before it was ready.';
  return new LonghaulError('EMBEDDED_FAILED', message, { hint });
}
