import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { HostLink } from './host-link.ts';
import { startHost, type HostCommand, type StartedHost } from './host-launch.ts';
import type { HostState } from './protocol.ts';
import { readFields, statePaths } from './state-files.ts';

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
  /** A foreground `longhaul up`, which `longhaul down` asks to leave (`EmbeddedServer.stopped`). */
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
  /**
   * Where the server is now: waits until the host's Temporal answers, after a restart perhaps on another port.
   * @throws LonghaulError as `joinEmbedded` does; EMBEDDED_STOPPED; CANCELLED.
   */
  current(signal?: AbortSignal): Promise<EmbeddedAddress>;
  /**
   * Resolves, with why in words, when `longhaul down` asks this `up` to leave, or the server was stopped under this
   * command. Rejects with why where the host ended otherwise, and cannot be started again.
   */
  stopped: Promise<string>;
  /** The last one to leave waits until the server has stopped. Leaving twice does no harm. */
  leave(): Promise<void>;
}

/**
 * Uses the embedded server of a state folder until `leave`: the one that runs, else one started now. A process
 * that dies instead of leaving is noticed. A host that is killed under its members is started again by one of them.
 * @throws LonghaulError EMBEDDED_FAILED, TEMPORAL_NOT_INSTALLED, CONFIG_INVALID, CANCELLED, or what made the worker fail.
 */
export async function joinEmbedded(options: JoinOptions): Promise<EmbeddedServer> {
  const member = new Member(options);
  try {
    const state = await member.ready(options.signal);
    noteVersion(options, state);
    return {
      ...addressOf(state),
      current: async (signal) => addressOf(await member.ready(signal)),
      stopped: member.stopped,
      leave: async () => await member.leave(),
    };
  } catch (error) {
    await member.leave();
    throw error;
  }
}

/** A host that is killed again and again is not started for ever. */
const MAX_STARTS = 5;
const FIRST_PAUSE_MS = 100;
const POLL_MS = 25;
/** A worker may take its grace time, and Temporal some seconds; a host that takes longer is left to itself. */
const LEAVE_LIMIT_MS = 120_000;

class Member {
  readonly #options: JoinOptions;
  readonly #changes = new EventEmitter();
  readonly stopped: Promise<string>;
  #tellStopped!: (why: string) => void;
  #tellFailed!: (error: LonghaulError) => void;
  #link: HostLink | undefined;
  #note = '';
  #isLeaving = false;
  /** Nothing is to be expected any more. */
  #over: LonghaulError | undefined;

  constructor(options: JoinOptions) {
    this.#options = options;
    this.stopped = new Promise((resolve, reject) => {
      this.#tellStopped = resolve;
      this.#tellFailed = reject;
    });
    // Most commands hear of it by `current`.
    this.stopped.catch(() => undefined);
    this.#changes.setMaxListeners(0);
    void this.#stayConnected().catch((error: unknown) => this.#fail(error as LonghaulError));
  }

  async ready(signal?: AbortSignal): Promise<HostState> {
    return await this.#until(() => {
      if (this.#over) throw this.#over;
      const state = this.#link?.isOpen ? this.#link.state : undefined;
      const { needsWorker = true } = this.#options;
      if (state && needsWorker) assertSameSettings(this.#options, state);
      const isReady = state?.status === 'ready' && (!needsWorker || state.worker === 'ready');
      return isReady ? state : undefined;
    }, signal);
  }

  async leave(): Promise<void> {
    const link = this.#link;
    if (!this.#isLeaving) link?.say({ say: 'leave' });
    this.#isLeaving = true;
    this.#changes.emit('change');
    const end = AbortSignal.timeout(LEAVE_LIMIT_MS);
    await this.#until(() => !link?.isOpen || undefined, end).catch(() => undefined);
    link?.close();
  }

  /** Until it leaves, or the host was told to stop, or cannot go on. */
  async #stayConnected(): Promise<void> {
    while (!this.#isLeaving && !this.#over) {
      const link = await this.#connect();
      if (!link) return;
      this.#link = link;
      link.on('change', () => this.#hear(link));
      this.#hear(link);
      await link.until(() => false);
      this.#judgeEnd(link.state);
    }
  }

  #hear({ state }: HostLink): void {
    const isNews = state?.note && state.note !== this.#note && !this.#isLeaving;
    if (isNews) this.#options.onNote?.(printable(state.note ?? ''));
    this.#note = state?.note ?? this.#note;
    if (state?.leave) this.#tellStopped('It was stopped by `longhaul down`.');
    this.#changes.emit('change');
  }

  #judgeEnd(last: HostState | undefined): void {
    if (this.#isLeaving) return;
    if (last?.error) return this.#fail(fromHostError(last.error));
    if (last?.status === 'stopping' || last?.status === 'stopped') {
      const why = printable(last.note ?? 'It was stopped.');
      this.#tellStopped(why);
      return this.#fail(new LonghaulError('EMBEDDED_STOPPED', `The embedded server ended: ${why}`));
    }
    this.#options.onNote?.('The embedded worker was killed; starting it again');
  }

  #fail(error: LonghaulError): void {
    this.#over = error;
    this.#tellFailed(error);
    this.#changes.emit('change');
  }

  /** To the host that runs, else to one started now. Undefined where this command leaves meanwhile. */
  async #connect(): Promise<HostLink | undefined> {
    const { stateDir, needsWorker = true, isUp } = this.#options;
    let started: StartedHost | undefined;
    for (let starts = 0; !this.#isLeaving;) {
      const link = await HostLink.connect(stateDir, { role: isUp ? 'up' : 'command', needsWorker });
      // One that is stopping takes no more members: its end is waited for.
      if (await link?.until(({ status }) => !['stopping', 'stopped'].includes(status))) return link;
      if (link) continue;
      if (started?.ended() !== false) {
        await throwIfFailed(stateDir, started);
        if (starts >= MAX_STARTS) throw notStarted(stateDir);
        if (starts > 0) await sleep(FIRST_PAUSE_MS * 2 ** starts);
        started = await startHost(stateDir, this.#options.host);
        starts += 1;
      }
      await sleep(POLL_MS);
    }
    return undefined;
  }

  async #until<T>(look: () => T | undefined, signal?: AbortSignal): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await once(this.#changes, 'change', signal ? { signal } : {}).catch(() => {
        throw new LonghaulError('CANCELLED', 'Stopped waiting for the embedded server.');
      });
    }
  }
}

async function throwIfFailed(stateDir: string, started: StartedHost | undefined): Promise<void> {
  if (!started?.failed()) return;
  const record = await readFields(statePaths(stateDir).host);
  const error = record?.['error'] as HostState['error'];
  if (record?.['pid'] === started.pid && error) throw fromHostError(error);
  throw notStarted(stateDir);
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

function fromHostError({ code, message, hint }: NonNullable<HostState['error']>): LonghaulError {
  return new LonghaulError(code, message, hint === undefined ? {} : { hint });
}

function notStarted(stateDir: string): LonghaulError {
  const { hostLog } = statePaths(stateDir);
  const hint = `Its log is ${hostLog}; \`longhaul down\`, then try again.`;
  const message = 'The embedded server ended before it was ready.';
  return new LonghaulError('EMBEDDED_FAILED', message, { hint });
}
