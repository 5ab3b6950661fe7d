import { spawn } from 'node:child_process';
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
  /** Path of the module that Node is to run: it calls `runHost`. */
  entry: string;
  args: readonly string[];
}

export interface JoinOptions {
  stateDir: string;
  /** How to start the host process where none runs. */
  host: HostCommand;
  /** The version of this program: a note says when the running server is of another one. */
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
  /** The namespace of this state folder alone. */
  namespace: string;
  uiUrl: string;
}

/** Its address is as it was at the join. */
export interface EmbeddedServer extends EmbeddedAddress {
  /**
   * Where the server is now: waits until the host's Temporal answers, after a restart perhaps on another port. Starts
   * a host that was killed again.
   * @throws LonghaulError as `joinEmbedded` does; EMBEDDED_STOPPED; CANCELLED.
   */
  current(signal?: AbortSignal): Promise<EmbeddedAddress>;
  /**
   * Ends, with why in words, when `longhaul down` asks this `up` to leave, or the server was stopped under it. Starts a
   * host that was killed again. @throws why the host ended otherwise, and cannot be started again.
   */
  stopped(): Promise<string>;
  /** The last one to leave waits until the server has stopped. Leaving twice does no harm. */
  leave(): Promise<void>;
}

/**
 * Uses the embedded server of a state folder until `leave`: the one that runs, else one started now. A process
 * that dies instead of leaving is noticed.
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
      stopped: async () => await member.stopped(),
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
/** A worker may take its grace time, and Temporal some seconds; the command does not wait for a host that takes longer. */
const LEAVE_LIMIT_MS = 120_000;

class Member {
  readonly #options: JoinOptions;
  /** The last one stays when the host was stopped, or failed: it has the reason. */
  #link: HostLink | undefined;
  #joining: Promise<HostState> | undefined;
  #note = '';
  #isLeaving = false;

  constructor(options: JoinOptions) {
    this.#options = options;
  }

  /** One look, or one start, for all that ask at a time. */
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

  /** Connects to the host that runs, else to one started now. */
  async #connect(): Promise<HostLink> {
    const { stateDir, needsWorker = true, isUp } = this.#options;
    let started: StartedHost | undefined;
    for (let starts = 0; !this.#isLeaving; await sleep(POLL_MS)) {
      const link = await HostLink.connect(stateDir, { role: isUp ? 'up' : 'command', needsWorker });
      link?.on('change', () => this.#hear(link));
      // One that is stopping takes no more members: its end is waited for.
      if (link && (await link.until((state) => !isEnding(state)))) {
        if (!this.#isLeaving) return link;
        link.close();
      }
      const isComing = started && started.exitCode() === undefined;
      if (link || isComing) continue;
      if (started?.exitCode()) throw await startFailure(stateDir, started);
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

interface StartedHost {
  pid: number | undefined;
  /** Undefined while it runs; 0 for one that was killed, too. With another, it failed: another start would end like it. */
  exitCode(): number | undefined;
}

/** Starts a host that outlives this process and its terminal; its output goes to its log. */
async function startHost(stateDir: string, { entry, args }: HostCommand): Promise<StartedHost> {
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
    return {
      pid: child.pid,
      exitCode: () => (child.signalCode ? 0 : (child.exitCode ?? undefined)),
    };
  } finally {
    await log.close();
  }
}

async function startFailure(stateDir: string, { pid }: StartedHost): Promise<LonghaulError> {
  const record = await readFields<HostRecord>(statePaths(stateDir).host);
  return record.pid === pid && record.error ? ofHost(record.error) : notStarted(stateDir);
}

function isEnding(state: HostState | undefined): boolean {
  return state?.status === 'stopping' || state?.status === 'stopped';
}

/** Why it ended. */
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
