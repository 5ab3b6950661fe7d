import { EventEmitter, once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { LonghaulError } from '../model/errors.ts';
import {
  onLines,
  say,
  type Hello,
  type HostRecord,
  type HostState,
  type Request,
} from './protocol.ts';
import { readFields, statePaths } from './state-files.ts';

/** The state of the host that runs for a state folder; undefined if none runs. */
export async function findEmbedded(stateDir: string): Promise<HostState | undefined> {
  const link = await look(stateDir);
  link?.close();
  return link?.state;
}

/** Makes the running server stay when its last member leaves, until `stopEmbedded`. */
export async function pinEmbedded(stateDir: string): Promise<void> {
  const link = await look(stateDir);
  link?.say({ say: 'stay' });
  const state = await link?.until(({ pinned }) => pinned);
  link?.close();
  if (!state) throw new LonghaulError('EMBEDDED_FAILED', 'The embedded server has just ended.');
}

export interface StopResult {
  /** `stops-later`: the server stops when its members have left. */
  outcome: 'not-running' | 'stopped' | 'stops-later';
  /** Process ids of the commands that still use the server. */
  members: number[];
  /** Process ids of the foreground `longhaul up` commands that this ended. */
  ups: number[];
}

/**
 * Stops every foreground `longhaul up` at once, and the server as soon as no command uses it. With `force`, also stops
 * the server at once; runs under way go on with the next start.
 */
export async function stopEmbedded(
  stateDir: string,
  { force = false }: { force?: boolean } = {},
): Promise<StopResult> {
  const link = await look(stateDir);
  if (!link?.state) return { outcome: 'not-running', members: [], ups: [] };
  const { ups } = link.state;
  link.say({ say: 'down', force });
  const answer = await link.until(({ status, pinned, members }) => {
    return status !== 'stopping' && !force && !pinned && members.length > 0;
  });
  link.close();
  if (answer) return { outcome: 'stops-later', members: answer.members, ups };
  return { outcome: 'stopped', members: [], ups };
}

/** @returns undefined if no host listens. */
async function look(stateDir: string): Promise<HostLink | undefined> {
  const link = await HostLink.connect(stateDir, { role: 'look', needsWorker: false });
  return (await link?.until(() => true)) && link;
}

/** A command's connection to the host of a state folder. Emits `change` at each new state, and when it closes. */
export class HostLink extends EventEmitter {
  readonly #socket: Socket;
  /** The last state that the host sent; undefined until its first message. */
  state: HostState | undefined;

  /** @returns undefined if no host listens. */
  static async connect(
    stateDir: string,
    hello: Omit<Hello, 'say' | 'pid'>,
  ): Promise<HostLink | undefined> {
    const socket = createConnection(await socketPath(stateDir));
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    if (!isThere) return undefined;
    const link = new HostLink(socket);
    link.say({ say: 'hello', pid: process.pid, ...hello });
    return link;
  }

  private constructor(socket: Socket) {
    super();
    this.#socket = socket;
    this.setMaxListeners(0);
    onLines(socket, (state) => {
      // The host sends `leave` only once, so it stays set.
      this.state = { leave: this.state?.leave, ...(state as HostState) };
      this.emit('change');
    });
    socket.on('close', () => this.emit('change'));
  }

  /** Waits for the first state that fits. @returns undefined if the host ends before. */
  async until(fits: (state: HostState) => boolean | undefined): Promise<HostState | undefined> {
    for (;;) {
      if (this.#socket.destroyed) return undefined;
      if (this.state && fits(this.state)) return this.state;
      await once(this, 'change');
    }
  }

  say(request: Request): void {
    say(this.#socket, request);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A copied state folder has the host record of its original. That host does not serve this folder. */
async function socketPath(stateDir: string): Promise<string> {
  const paths = statePaths(stateDir);
  const { socket, inode } = await readFields<HostRecord>(paths.host);
  const { ino } = (await stat(stateDir).catch(() => undefined)) ?? {};
  return socket !== undefined && inode === ino ? socket : paths.socket;
}
