import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

export interface ChildOptions {
  folder: string;
  /** All of its environment. */
  env: NodeJS.ProcessEnv;
  /** Paths that its output is appended to. Without: pipes, which have to be read. */
  stdout?: string;
  stderr?: string;
  /** An open file that it and all that it starts hold too, from their first moment to their last. */
  holds?: number;
  /** The files that it makes are for this user alone. */
  isPrivate?: boolean;
}

export interface ChildEnd {
  /** Null where a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process in a group of its own, with all that it starts. It ends with this process, however that ends. */
export interface Child {
  pid: number;
  stdout: Readable | null;
  stderr: Readable | null;
  /** When no process of the group is left, and its output was read. Never rejects. */
  ended: Promise<ChildEnd>;
  hasEnded(): boolean;
  /** The whole group. */
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGTERM to the group, and SIGKILL to the processes left after the limit. Resolves when the group has ended. */
  stop(limitMs: number): Promise<ChildEnd>;
}

/**
 * The shell becomes the program, after it has left a guard behind, which waits for the end of a pipe, descriptor 3, that
 * this process holds. It closes even when this process is killed, and then the whole group ends. Without `--`: dash's
 * kill takes it for a number where the signal is given so.
 */
const WITH_GUARD = '(read -r _ <&3 || kill -KILL -$$) >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * @param words a program and its arguments: never a shell line.
 * @throws where it cannot be started at all. A program that is not there ends with code 127 or 126.
 */
export async function startChild(words: readonly string[], options: ChildOptions): Promise<Child> {
  const { folder, env, holds, isPrivate } = options;
  const script = isPrivate ? `umask 077; ${WITH_GUARD}` : WITH_GUARD;
  const files: number[] = [];
  const output = (path: string | undefined): number | 'pipe' => {
    if (path === undefined) return 'pipe';
    files.push(openSync(path, 'a', 0o600));
    return files.at(-1) ?? 'pipe';
  };
  try {
    const outputs = [output(options.stdout), output(options.stderr)];
    const child = spawn('/bin/sh', ['-c', script, 'longhaul-child', ...words], {
      cwd: folder,
      detached: true,
      env,
      stdio: ['ignore', ...outputs, 'pipe', ...(holds === undefined ? [] : [holds])],
    });
    // Listened for before anything else: a short program ends at once.
    const ended = endOf(child);
    await once(child, 'spawn');
    return handleOf(child, ended);
  } finally {
    for (const file of files) closeSync(file);
  }
}

async function endOf(child: ChildProcess): Promise<ChildEnd> {
  return await new Promise<ChildEnd>((resolve) => {
    const guard = child.stdio[3] as Writable;
    guard.on('error', () => undefined);
    child.once('exit', () => {
      // What it left in its group goes too, and so does the guard.
      signalGroup(child, 'SIGKILL');
      guard.destroy();
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

function handleOf(child: ChildProcess, ended: Promise<ChildEnd>): Child {
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const signal = (name: NodeJS.Signals): void => {
    if (!hasEnded()) signalGroup(child, name);
  };
  const stop = async (limitMs: number): Promise<ChildEnd> => {
    signal('SIGTERM');
    const kill = setTimeout(() => signal('SIGKILL'), limitMs);
    try {
      return await ended;
    } finally {
      clearTimeout(kill);
    }
  };
  const { pid = 0, stdout, stderr } = child;
  return { pid, stdout, stderr, ended, hasEnded, signal, stop };
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // No process is left in it.
  }
}
