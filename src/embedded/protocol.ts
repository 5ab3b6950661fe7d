import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrorCode, LonghaulError, type ErrorCode } from '../model/errors.ts';

/**
 * What commands and the host of a state folder say to each other over its Unix socket: a JSON value a line. A command
 * says first who it is; the host pushes its whole state at once and at each change. An open connection is membership.
 */
const text = z.string().max(10_000);
const pid = z.int().positive();

const requestSchema = z.discriminatedUnion('say', [
  z.strictObject({
    say: z.literal('hello'),
    pid,
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

const errorCode = z.custom<ErrorCode>(isErrorCode);

const stateSchema = z.object({
  /** Of Temporal. `stopping`: it takes no more members. */
  status: z.enum(['starting', 'ready', 'stopping', 'stopped', 'failed']),
  /** It starts when the first command needs it. */
  worker: z.enum(['none', 'starting', 'ready']),
  pid,
  /** Of the program, to tell a server that an older one started. */
  version: text,
  namespace: text,
  /** `host:port`; from `ready` on. */
  address: text.optional(),
  uiUrl: text.optional(),
  /** What it is doing, or why it stops, for people. */
  note: text.optional(),
  error: z.object({ code: errorCode, message: text, hint: text.optional() }).optional(),
  /** It stays without members. */
  pinned: z.boolean(),
  /** Process ids of the commands that use it, those of `up` apart. */
  members: z.array(pid),
  ups: z.array(pid),
  /** Fingerprints of the worker's settings. */
  settings: z.record(text, text),
  /** An answer to `down`: this `up` is to leave. */
  leave: z.boolean().optional(),
});
export type HostState = z.infer<typeof stateSchema>;

export const parseRequest = (line: string): Request => requestSchema.parse(JSON.parse(line));
export const parseState = (line: string): HostState => stateSchema.parse(JSON.parse(line));

/** A state with a thousand members fits. Who sends more is no part of this program. */
const MAX_LINE_BYTES = 64 * 1024;

/** Calls for each line; what is too long, or cannot be read, ends the connection. */
export function onLines(socket: Socket, use: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    try {
      if (Math.max(rest.length, ...lines.map((line) => line.length)) > MAX_LINE_BYTES) {
        throw new Error('A line is too long.');
      }
      for (const line of lines) use(line);
    } catch {
      socket.destroy();
    }
  });
}

export function say(socket: Socket, message: Request | HostState): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** The kernel has room for 108 bytes, on macOS for 104, and Node cuts what is longer without a word. */
export const MAX_SOCKET_PATH_BYTES = 90;

/**
 * Where the socket lies when the state folder cannot hold it, with a too long path or on a file system without sockets.
 * @throws LonghaulError EMBEDDED_FAILED where another user made that folder.
 */
export async function socketElsewhere(
  stateDir: string,
  runtimeDir: string = tmpdir(),
): Promise<string> {
  const { uid } = userInfo();
  const folder = join(runtimeDir, `longhaul-${uid}`);
  await mkdir(folder, { mode: 0o700 }).catch(() => undefined);
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    const hint = `Remove ${folder}, or point TMPDIR to a folder of yours.`;
    throw new LonghaulError('EMBEDDED_FAILED', `${folder} is not a folder of this user alone.`, {
      hint,
    });
  }
  const name = createHash('sha256')
    .update(await realpath(stateDir))
    .digest('hex')
    .slice(0, 16);
  return join(folder, `${name}.sock`);
}
