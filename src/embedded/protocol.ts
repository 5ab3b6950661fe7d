import type { Socket } from 'node:net';
import { z } from 'zod';
import type { ErrorCode } from '../model/errors.ts';

/**
 * What commands and the host of a state folder say to each other over its Unix socket: a JSON value a line. A command
 * says first who it is; the host pushes its whole state at once and at each change. An open connection is membership.
 */
export const requestSchema = z.discriminatedUnion('say', [
  z.strictObject({
    say: z.literal('hello'),
    pid: z.int().positive(),
    /** `up`: a foreground `longhaul up`, which `down` ends. `look`: it uses nothing. */
    role: z.enum(['command', 'up', 'look']),
    needsWorker: z.boolean(),
  }),
  /** The last one that leaves sees the connection close when the host has ended. */
  z.strictObject({ say: z.literal('leave') }),
  /** Stay when all have left, until `down`. */
  z.strictObject({ say: z.literal('stay') }),
  z.strictObject({ say: z.literal('down'), force: z.boolean() }),
]);
export type Request = z.infer<typeof requestSchema>;
export type Hello = Extract<Request, { say: 'hello' }>;

export interface HostState {
  /** Status of Temporal. `stopping`: the host takes no more members. */
  status: 'starting' | 'ready' | 'stopping' | 'stopped' | 'failed';
  /** The worker starts when the first command needs it. */
  worker: 'none' | 'starting' | 'ready';
  pid: number;
  /** The program's version, to recognise a server that an older one started. */
  version: string;
  namespace: string;
  /** `host:port`; before `ready`, of the last server. */
  address?: string | undefined;
  uiUrl?: string | undefined;
  /** What it is doing, or why it stops, for people. */
  note?: string;
  error?: { code: ErrorCode; message: string; hint?: string | undefined };
  /** The host stays without members. */
  pinned: boolean;
  /** Process ids of the commands that use it, those of `up` apart. */
  members: number[];
  ups: number[];
  /** Fingerprints of the worker's settings. */
  settings: Readonly<Record<string, string>>;
  /** An answer to `down`: this `up` is to leave. */
  leave?: boolean | undefined;
}

/** `host.json`: the state, and what only the next host has to know. */
export interface HostRecord extends HostState {
  /** Where it is not in the state folder. */
  socket?: string | undefined;
  /** The state folder when last seen: `namespace` belongs to it, and not to a copy. */
  path: string;
  inode: number;
}

/** A state with a thousand members fits. Who sends more is no part of this program. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Calls back for each line; a line that is too long or cannot be read ends the connection. */
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
