import type { Socket } from 'node:net';
import { z } from 'zod';
import type { ErrorCode } from '../model/errors.ts';

/**
 * The messages between commands and the host of a state folder over its Unix socket: one JSON value in each line. A
 * command first sends `hello`. The host sends its whole state at once and at each change. A command is a member for as
 * long as its connection is open.
 */
export const requestSchema = z.discriminatedUnion('say', [
  z.strictObject({
    say: z.literal('hello'),
    pid: z.int().positive(),
    /** `up`: a foreground `longhaul up`, which `down` ends. `look`: a command that only reads the state. */
    role: z.enum(['command', 'up', 'look']),
    needsWorker: z.boolean(),
  }),
  /** The connection of the last command that leaves closes when the host has ended. */
  z.strictObject({ say: z.literal('leave') }),
  /** Tells the host to stay until `down`, even when all members have left. */
  z.strictObject({ say: z.literal('stay') }),
  z.strictObject({ say: z.literal('down'), force: z.boolean() }),
]);
export type Request = z.infer<typeof requestSchema>;
export type Hello = Extract<Request, { say: 'hello' }>;

export interface HostState {
  /** Status of Temporal. `stopping`: the host accepts no more members. */
  status: 'starting' | 'ready' | 'stopping' | 'stopped' | 'failed';
  /** Status of the worker, which starts when the first command needs it. */
  worker: 'none' | 'starting' | 'ready';
  pid: number;
  /** The program's version, to recognise a server that an older one started. */
  version: string;
  namespace: string;
  /** `host:port`. Before `ready`, it is the address of the last server. */
  address?: string | undefined;
  uiUrl?: string | undefined;
  /** Text for the user: what the host is doing, or why it stops. */
  note?: string;
  error?: { code: ErrorCode; message: string; hint?: string | undefined };
  /** True if the host stays without members. */
  pinned: boolean;
  /** Process ids of the commands that use the host, without those of `up`. */
  members: number[];
  ups: number[];
  /** Fingerprints of the worker's settings. */
  settings: Readonly<Record<string, string>>;
  /** Tells an `up` to leave, because of `down`. */
  leave?: boolean | undefined;
}

/** `host.json`: the state, and facts that only the next host needs. */
export interface HostRecord extends HostState {
  /** Path of the socket if it is not in the state folder. */
  socket?: string | undefined;
  /** Path and inode of the state folder. They show whether the folder is a copy, which gets another `namespace`. */
  path: string;
  inode: number;
}

/** Characters. A state with a thousand members fits. Longer lines do not come from Longhaul. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Calls `use` for each line. A line that is too long or cannot be read ends the connection. */
export function onLines(socket: Socket, use: (value: unknown) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    try {
      if (rest.length > MAX_LINE_LENGTH) throw new Error('The line is too long.');
      for (const line of lines) use(JSON.parse(line));
    } catch {
      socket.destroy();
    }
  });
}

export function say(socket: Socket, message: Request | HostState): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
