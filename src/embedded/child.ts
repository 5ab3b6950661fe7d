import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { END_WITH_PARENT } from '../programs/end-with-parent.ts';

/** A program to run: never a shell line. */
export interface ChildCommand {
  program: string;
  args: readonly string[];
  /** All of its environment: nothing else of this process's concerns it. */
  env: Readonly<Record<string, string>>;
  folder: string;
  /** Paths that its output is appended to. */
  stdout: string;
  stderr: string;
  /** An open file that it and all that it starts hold too, from their first moment to their last. */
  holds?: number;
}

export interface ChildEnd {
  /** Null where a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process in a group of its own, with all that it starts. It ends with this process, however that ends. */
export interface Child {
  pid: number;
  /** Never rejects. */
  ended: Promise<ChildEnd>;
  hasEnded(): boolean;
  /** The whole group. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM to the group, and SIGKILL to what is left after the limit. Ends when it has ended. */
  stop(limitMs: number): Promise<ChildEnd>;
}

/** @throws where it cannot be started at all. A program that is not there ends with code 127 or 126. */
export async function startChild(command: ChildCommand): Promise<Child> {
  const { program, args, env, folder, holds } = command;
  const stdout = await open(command.stdout, 'a');
  const stderr = await open(command.stderr, 'a').catch(async (error: unknown) => {
    await stdout.close();
    throw error;
  });
  try {
    const line = ['-c', END_WITH_PARENT, 'longhaul-child', program, ...args];
    const child = spawn('/bin/sh', line, {
      cwd: folder,
      detached: true,
      env,
      stdio: ['ignore', stdout.fd, stderr.fd, 'pipe', ...(holds === undefined ? [] : [holds])],
    });
    // Listened for before anything else: a short program ends at once.
    const ended = endOf(child);
    await once(child, 'spawn');
    return handleOf(child, ended);
  } finally {
    await stdout.close();
    await stderr.close();
  }
}

async function endOf(child: ChildProcess): Promise<ChildEnd> {
  return await new Promise<ChildEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      // What it left in its group goes too, and so does the one who waits.
      signalGroup(child, 'SIGKILL');
      const pipe = child.stdio[3] as Writable | null | undefined;
      pipe?.on('error', () => undefined);
      pipe?.destroy();
      resolve({ code, signal });
    });
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
  return { pid: child.pid ?? 0, ended, hasEnded, signal, stop };
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}
