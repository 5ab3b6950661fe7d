import { mkdtemp, rm, rmdir } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { replaceFile } from '../storage/replace-file.ts';
import { onLines, requestSchema, say, type Hello, type HostRecord } from './protocol.ts';
import { statePaths } from './state-files.ts';

export interface HostSocketOptions {
  stateDir: string;
  record: HostRecord;
  /** XDG_RUNTIME_DIR. */
  runtimeDir?: string | undefined;
  /** Called when the host must end. */
  onStop: (why: string) => void;
  onError: (error: unknown) => void;
}

/** If the command that started the host does not connect within this time, it was killed, and the host ends. */
const FIRST_MEMBER_MS = 10_000;
/** If a command was killed, the host waits this long for the next command. */
const NEXT_MEMBER_MS = 3000;
/** Linux has room for 108 bytes, macOS for 104. Node silently cuts longer paths. */
const MAX_SOCKET_PATH_BYTES = 90;

/** Accepts commands, sends them the state, and notices when none is left. Use it only with the host's lock. */
export class HostSocket {
  readonly #options: HostSocketOptions;
  readonly #server = createServer((socket) => this.#welcome(socket));
  readonly #sessions = new Map<Socket, Hello | undefined>();
  #state: HostRecord;
  #empty: NodeJS.Timeout;
  #written: Promise<void> = Promise.resolve();
  #wantWorker = (): void => undefined;
  /** Resolves when the first command connects that needs a worker. */
  readonly workerWanted = new Promise<void>((resolve) => (this.#wantWorker = resolve));

  static async open(options: HostSocketOptions): Promise<HostSocket> {
    const socket = new HostSocket(options);
    await socket.#listen();
    await socket.announce({});
    return socket;
  }

  private constructor(options: HostSocketOptions) {
    this.#options = options;
    this.#state = options.record;
    // A pinned host does the work of schedules and earlier commands, even if no command needs a worker now.
    if (this.#state.pinned) this.#wantWorker();
    this.#empty = setTimeout(() => this.#stopIfEmpty(), FIRST_MEMBER_MS);
  }

  /** Sends the change to every member, and writes the record for later ones. */
  async announce(change: Partial<HostRecord>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    // A connection without `hello` gets no state yet, so that the first state that a command gets includes the command.
    for (const [socket, hello] of this.#sessions) if (hello) say(socket, this.#state);
    const { host } = statePaths(this.#options.stateDir);
    const record = `${JSON.stringify(this.#state, null, 2)}\n`;
    // The members already have the state, so the host can go on if the disk is full.
    this.#written = this.#written
      .then(async () => await replaceFile(host, record, 0o600))
      .catch(this.#options.onError);
    await this.#written;
  }

  /** The members' connections stay open until this process ends, because the last member waits for that. */
  async close(): Promise<void> {
    clearTimeout(this.#empty);
    await removeSocket(this.#options.stateDir, this.#state).catch(this.#options.onError);
  }

  /** The socket is in the state folder if the path is short enough and the file system supports sockets. */
  async #listen(): Promise<void> {
    const { stateDir, runtimeDir = tmpdir() } = this.#options;
    const near = statePaths(stateDir).socket;
    await removeSocket(stateDir, this.#state);
    this.#state.socket = undefined;
    const fits = Buffer.byteLength(near) < MAX_SOCKET_PATH_BYTES;
    if (fits && (await this.#bind(near).catch(() => false))) return;
    const folder = await mkdtemp(join(runtimeDir, `longhaul-${userInfo().uid}-`));
    this.#state.socket = join(folder, 'host.sock');
    await this.#bind(this.#state.socket);
  }

  async #bind(path: string): Promise<true> {
    return await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(path, () => resolve(true));
    });
  }

  #welcome(socket: Socket): void {
    this.#sessions.set(socket, undefined);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#gone(socket, NEXT_MEMBER_MS));
    onLines(socket, (request) => this.#hear(socket, request));
  }

  /** @throws if the value is not a request. */
  #hear(socket: Socket, value: unknown): void {
    const request = requestSchema.parse(value);
    if (request.say === 'leave') return this.#leave(socket);
    if (request.say === 'down') return this.#down(request.force);
    if (request.say === 'hello') this.#sessions.set(socket, request);
    if (request.say === 'stay' || request.needsWorker) this.#wantWorker();
    if (request.say === 'stay') void this.announce({ pinned: true });
    else this.#count();
  }

  #leave(socket: Socket): void {
    this.#sessions.set(socket, undefined);
    this.#gone(socket, 0);
    // The last command waits for the end of this process. The others need not wait.
    if (this.#state.status !== 'stopping') socket.destroy();
  }

  #down(force: boolean): void {
    void this.announce({ pinned: false });
    for (const [socket, member] of this.#sessions) {
      if (member?.role === 'up') say(socket, { ...this.#state, leave: true });
    }
    if (force) this.#stop('It was stopped by `longhaul down --force`.');
    else if (this.#state.members.length === 0) this.#stop('It was stopped by `longhaul down`.');
  }

  #gone(socket: Socket, graceMs: number): void {
    const wasMember = this.#sessions.get(socket)?.role !== 'look';
    if (socket.destroyed) this.#sessions.delete(socket);
    this.#count();
    if (!wasMember) return;
    clearTimeout(this.#empty);
    if (graceMs === 0) this.#stopIfEmpty();
    else this.#empty = setTimeout(() => this.#stopIfEmpty(), graceMs);
  }

  #count(): void {
    const pids = (role: string): number[] =>
      [...this.#sessions.values()].flatMap((each) => (each?.role === role ? [each.pid] : []));
    void this.announce({ members: pids('command'), ups: pids('up') });
  }

  #stopIfEmpty(): void {
    const { pinned, members, ups } = this.#state;
    if (!pinned && members.length + ups.length === 0) this.#stop('No command uses it any more.');
  }

  #stop(why: string): void {
    if (this.#state.status !== 'stopping') this.#options.onStop(why);
  }
}

/** Removes the socket, and the folder that the host made for it. */
async function removeSocket(stateDir: string, { socket }: HostRecord): Promise<void> {
  await rm(statePaths(stateDir).socket, { force: true });
  if (socket === undefined) return;
  await rm(socket, { force: true });
  await rmdir(dirname(socket)).catch(() => undefined);
}
