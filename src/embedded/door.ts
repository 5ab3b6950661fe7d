import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import {
  MAX_SOCKET_PATH_BYTES,
  onLines,
  parseRequest,
  say,
  socketElsewhere,
  type HostState,
  type Request,
} from './protocol.ts';
import { readFields, statePaths, writeFields } from './state-files.ts';

export interface DoorOptions {
  stateDir: string;
  state: Pick<HostState, 'version' | 'namespace' | 'settings'>;
  /** XDG_RUNTIME_DIR. */
  runtimeDir?: string | undefined;
  /** The host is to end. */
  onStop: (why: string) => void;
  onError: (error: unknown) => void;
}

/** Who started the host comes within this time, or was killed; so does the next after one that was killed. */
const FIRST_MEMBER_MS = 10_000;
const NEXT_MEMBER_MS = 3000;

/** Where commands come in: who is there, what they are told, and when nobody is left. Only under the host's lock. */
export class Door {
  readonly #options: DoorOptions;
  readonly #server: Server;
  readonly #sessions = new Map<Socket, Extract<Request, { say: 'hello' }> | undefined>();
  readonly #workerWanted: { promise: Promise<void>; resolve: () => void };
  #socketPath = '';
  #state: HostState;
  #empty: NodeJS.Timeout;
  #written: Promise<void> = Promise.resolve();

  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options, await wasPinned(options.stateDir));
    await door.#listen();
    await door.tell({});
    return door;
  }

  private constructor(options: DoorOptions, pinned: boolean) {
    this.#options = options;
    this.#state = {
      ...options.state,
      status: 'starting',
      worker: 'none',
      pid: process.pid,
      pinned,
      members: [],
      ups: [],
    };
    let resolve = (): void => undefined;
    const promise = new Promise<void>((done) => (resolve = done));
    this.#workerWanted = { promise, resolve };
    // One that stays does the work that schedules and earlier commands left, whichever command started it again.
    if (pinned) resolve();
    this.#server = createServer((socket) => this.#welcome(socket));
    this.#empty = setTimeout(() => this.#stopIfEmpty(), FIRST_MEMBER_MS);
  }

  /** Resolves when the first command comes that needs a worker. */
  get workerWanted(): Promise<void> {
    return this.#workerWanted.promise;
  }

  get state(): HostState {
    return this.#state;
  }

  /** Tells every member, and writes the record for those that come later. */
  async tell(change: Partial<HostState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    for (const socket of this.#sessions.keys()) say(socket, this.#state);
    const record = { ...this.#state, socket: this.#socketPath, bootId: bootId() };
    const { host } = statePaths(this.#options.stateDir);
    // The members know it already; a disk that is full does not keep the host from going on.
    this.#written = this.#written.then(async () => await writeFields(host, record));
    this.#written = this.#written.catch(this.#options.onError);
    await this.#written;
  }

  /** The members' connections stay: they close when this process has ended. */
  async close(): Promise<void> {
    clearTimeout(this.#empty);
    await rm(this.#socketPath, { force: true }).catch(this.#options.onError);
  }

  async #listen(): Promise<void> {
    const { stateDir, runtimeDir } = this.#options;
    const near = statePaths(stateDir).socket;
    const fits = Buffer.byteLength(near) < MAX_SOCKET_PATH_BYTES;
    if (fits && (await this.#bind(near).catch(() => false))) return;
    await this.#bind(await socketElsewhere(stateDir, runtimeDir));
  }

  async #bind(path: string): Promise<true> {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
    this.#socketPath = path;
    return true;
  }

  #welcome(socket: Socket): void {
    this.#sessions.set(socket, undefined);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#gone(socket, NEXT_MEMBER_MS));
    onLines(socket, (line) => this.#hear(socket, parseRequest(line)));
  }

  #hear(socket: Socket, request: Request): void {
    switch (request.say) {
      case 'hello': {
        this.#sessions.set(socket, request);
        if (request.needsWorker) this.#workerWanted.resolve();
        this.#count();
        return;
      }
      case 'leave':
        return this.#leave(socket);
      case 'stay':
        this.#workerWanted.resolve();
        return void this.tell({ pinned: true });
      case 'down':
        return this.#down(request.force);
    }
  }

  #leave(socket: Socket): void {
    this.#sessions.set(socket, undefined);
    this.#gone(socket, 0);
    // The last one waits for the end of this process; the others need not.
    if (this.#state.status !== 'stopping') socket.destroy();
  }

  #down(force: boolean): void {
    void this.tell({ pinned: false });
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
    void this.tell({ members: pids('command'), ups: pids('up') });
  }

  #stopIfEmpty(): void {
    const { pinned, members, ups } = this.#state;
    if (!pinned && members.length + ups.length === 0) this.#stop('No command uses it any more.');
  }

  #stop(why: string): void {
    if (this.#state.status !== 'stopping') this.#options.onStop(why);
  }
}

/** A host that was killed was to stay; a stop and a restart of the machine end that. */
async function wasPinned(stateDir: string): Promise<boolean> {
  const last = await readFields(statePaths(stateDir).host);
  return last?.['pinned'] === true && last['status'] !== 'stopped' && last['bootId'] === bootId();
}

/** Changes with every boot; empty where the system does not tell. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
