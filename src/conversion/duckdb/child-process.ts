import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { ConversionProgress } from '../engine.ts';
import { siblingScript } from '../sibling-script.ts';
import type { ChildMessage } from './child.ts';
import type { DuckDbJob } from './plan.ts';

/** The end of what the child wrote to its standard error, where it died without a message. */
const MAX_STDERR_CHARACTERS = 2000;

/**
 * Does a job in a child process; none is left when this returns or throws.
 * @throws LonghaulError as `ConversionEngine`; the signal's reason when it aborts.
 */
export async function runInChild(
  job: DuckDbJob,
  signal: AbortSignal,
  onProgress: (done: ConversionProgress) => void,
): Promise<void> {
  signal.throwIfAborted();
  const child = fork(fileURLToPath(siblingScript('child', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_CHARACTERS);
  });
  let outcome: ChildMessage | undefined;
  child.on('message', (message: ChildMessage) => {
    if ('bytes' in message) onProgress(message);
    else outcome = message;
  });
  try {
    child.send(job, (error) => error && kill());
    const [code, exitSignal] = (await once(child, 'close')) as [number | null, string | null];
    signal.throwIfAborted();
    if (outcome && 'done' in outcome) return;
    if (outcome && 'error' in outcome) throw engineError(outcome.error);
    throw deathError(code, exitSignal, stderr);
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}

/** DuckDB's message, whose kind is its first words. */
function engineError(message: string): LonghaulError {
  const line = firstLine(message);
  if (/no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i.test(message)) {
    return new LonghaulError('DISK_FULL', `DuckDB: ${line}`);
  }
  if (/permission denied|read-only file system|EACCES|EROFS/i.test(message)) {
    return new LonghaulError('LAKE_NOT_WRITABLE', `DuckDB: ${line}`);
  }
  if (/out of memory|failed to allocate|could not allocate/i.test(message)) {
    return new LonghaulError('ENGINE_OUT_OF_MEMORY', `DuckDB: ${line}`);
  }
  return new LonghaulError('ENGINE_FAILED', `DuckDB: ${line}`);
}

/** SIGKILL that is not ours is the kernel's, or a container's, answer to too much memory. */
function deathError(code: number | null, signal: string | null, stderr: string): LonghaulError {
  if (signal === 'SIGKILL' || /heap out of memory|bad_alloc/i.test(stderr)) {
    return new LonghaulError(
      'ENGINE_OUT_OF_MEMORY',
      `DuckDB's process was ended (${signal ?? code}), most likely for using too much memory.`,
    );
  }
  const cause = stderr ? `: ${firstLine(stderr)}` : '.';
  return new LonghaulError(
    'ENGINE_FAILED',
    `DuckDB's process ended with ${signal ?? code ?? 'no code'}${cause}`,
  );
}

/** Long enough for a message with its path, short enough for one line of a terminal or two. */
const MAX_LINE_CHARACTERS = 400;

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return printable(line.slice(0, MAX_LINE_CHARACTERS));
}
