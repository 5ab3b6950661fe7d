import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

export interface ChildOptions {
  folder: string;
  /** The complete environment of the child. */
  env: NodeJS.ProcessEnv;
  /** Paths of files that get the output, appended. If absent, it goes to pipes, which the caller must read. */
  stdout?: string;
  stderr?: string;
  /** An open file that the child and its own children inherit, and keep open for as long as they run. */
  holds?: number;
  /** True if only this user may read the files that the child makes. */
  isPrivate?: boolean;
}

export interface ChildEnd {
  /** Null if a signal ended the child. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process in its own group, with all its children. The group ends when this process ends, for any reason. */
export interface Child {
  pid: number;
  stdout: Readable | null;
  stderr: Readable | null;
  /** Resolves when no process of the group is left and the caller has read the output. Never rejects. */
  ended: Promise<ChildEnd>;
  hasEnded(): boolean;
  /** Sends a signal to the whole group. */
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGTERM to the group, and SIGKILL after the limit. Resolves when the group has ended. */
  stop(limitMs: number): Promise<ChildEnd>;
}

/**
 * The shell starts a guard and then becomes the program. The guard waits for the end of a pipe, descriptor 3, whose
 * other end this process has. The pipe closes even if this process is killed, and then the guard kills the whole
 * group. After `-KILL`, there is no `--`, because dash's `kill` would read it as a number.
 */
const WITH_GUARD = '(read -r _ <&3 || kill -KILL -$$) >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * @param words a program and its arguments: never a shell line.
 * @throws if the shell cannot be started. If the program does not exist, the child ends with code 127 or 126.
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
    // The listeners must be there before the first `await`, because a short program may end at once.
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
      // This also ends the guard, and the processes that the program left in its group.
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
    // No process is left in the group.
  }
}
