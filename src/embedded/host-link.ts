import { createConnection, type Socket } from 'node:net';
import { onLines, parseState, say, type HostState, type Request } from './protocol.ts';
import { readFields, statePaths } from './state-files.ts';

/** A command's connection to the host of a state folder. */
export interface HostLink {
  /** As last heard; undefined until the first word. */
  readonly state: HostState | undefined;
  readonly isOpen: boolean;
  /** Called at each state, and at the end of the connection. */
  onChange: () => void;
  say(request: Request): void;
  close(): void;
}

/** Undefined where no host listens. */
export async function connectHost(
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
  const link = linkOver(socket);
  link.say({ say: 'hello', pid: process.pid, ...hello });
  return link;
}

function linkOver(socket: Socket): HostLink {
  let state: HostState | undefined;
  const link = {
    get state() {
      return state;
    },
    get isOpen() {
      return !socket.destroyed;
    },
    onChange: () => undefined as void,
    say: (request: Request) => say(socket, request),
    close: () => void socket.destroy(),
  };
  onLines(socket, (line) => {
    state = parseState(line);
    link.onChange();
  });
  socket.on('close', () => link.onChange());
  return link;
}
