import { EventEmitter, once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { onLines, parseState, say, type HostState, type Request } from './protocol.ts';
import { readFields, statePaths } from './state-files.ts';

/** A command's connection to the host of a state folder. Emits `change` at each state, and at its end. */
export class HostLink extends EventEmitter {
  readonly #socket: Socket;
  /** As last heard; undefined until the first word. */
  state: HostState | undefined;

  /** Undefined where no host listens. */
  static async connect(
    stateDir: string,
    hello: Omit<Extract<Request, { say: 'hello' }>, 'say' | 'pid'>,
  ): Promise<HostLink | undefined> {
    const path = (await readFields(statePaths(stateDir).host))?.['socket'];
    if (typeof path !== 'string') return undefined;
    const socket = createConnection(path);
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
    onLines(socket, (line) => {
      this.state = parseState(line);
      this.emit('change');
    });
    socket.on('close', () => this.emit('change'));
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** The first state that fits; undefined where the connection ends before, with the host. */
  async until(fits: (state: HostState) => boolean): Promise<HostState | undefined> {
    for (;;) {
      if (this.state && fits(this.state)) return this.state;
      if (!this.isOpen) return undefined;
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
