import { fork } from 'node:child_process';
import { once } from 'node:events';
import { LonghaulError } from '../model/errors.ts';
import { firstLine, ofCatalogue, type PlainError } from './engine-errors.ts';
import { together } from './together.ts';

/** A child's messages: bytes as it goes on, and its end. */
export type ChildMessage = { bytes: number } | { result: unknown } | { error: PlainError };

/** What `child.ts` gets, as plain data without credentials: the child finds them itself. */
export interface ChildTask {
  work: 'duckdb' | 'parquetjs' | 'prepare' | 'profile';
  job: unknown;
  /** If the worker is gone, the child removes this folder. */
  scratchFolder?: string | undefined;
}

export interface ChildOptions extends ChildTask {
  /** What works there, for the error of a child that dies. */
  program: string;
  signal: AbortSignal;
  /** @param bytes bytes of the job done so far. */
  onProgress: (bytes: number) => void;
  /** Makes the error from what the child threw. */
  errorOf?: (error: PlainError) => Error;
}

/** If the child dies without a message, the error shows the end of its standard error. */
const MAX_STDERR_CHARACTERS = 2000;

/**
 * Runs a job in a process of its own: the worker's event loop stays free, a fault of native code ends nothing else, and
 * killing the process ends the work. The process has ended when this function returns or throws.
 * @throws LonghaulError ENGINE_FAILED, ENGINE_OUT_OF_MEMORY if the child dies; the signal's reason when it aborts.
 */
export async function runInChild<Result>(options: ChildOptions): Promise<Result> {
  const { work, job, scratchFolder, program, signal, onProgress, errorOf = plainly } = options;
  signal.throwIfAborted();
  const child = fork(new URL('./child.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // A profile has typed arrays.
    serialization: 'advanced',
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_CHARACTERS);
  });
  let outcome: ChildMessage | undefined;
  child.on('message', (message: ChildMessage) => {
    if ('bytes' in message) onProgress(message.bytes);
    else outcome = message;
  });
  try {
    child.send({ work, job, scratchFolder } satisfies ChildTask, (error) => error && kill());
    const [code, exitSignal] = (await once(child, 'close')) as [number | null, string | null];
    signal.throwIfAborted();
    if (outcome && 'result' in outcome) return outcome.result as Result;
    if (outcome && 'error' in outcome) throw errorOf(outcome.error);
    throw deathError(program, code, exitSignal, stderr);
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}

/**
 * Runs jobs in children. The first failure ends them all. It is thrown when the last child has ended.
 * @param onProgress bytes of all jobs done so far.
 */
export async function runInChildren<Result>(
  children: readonly Omit<ChildOptions, 'signal' | 'onProgress'>[],
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
  concurrency = Infinity,
): Promise<Result[]> {
  const done = children.map(() => 0);
  return await together(children, { signal, concurrency }, async (child, index, stop) =>
    runInChild<Result>({
      ...{ ...child, signal: stop },
      onProgress: (bytes) => {
        done[index] = bytes;
        onProgress(done.reduce((sum, each) => sum + each, 0));
      },
    }),
  );
}

function plainly(error: PlainError): Error {
  return ofCatalogue(error) ?? new Error(error.message);
}

/** If the worker did not send SIGKILL, the kernel or the container did, because of too much memory. */
function deathError(
  program: string,
  code: number | null,
  signal: string | null,
  stderr: string,
): LonghaulError {
  if (signal === 'SIGKILL' || /heap out of memory|bad_alloc/i.test(stderr)) {
    return new LonghaulError(
      'ENGINE_OUT_OF_MEMORY',
      `${program}'s process was ended (${signal ?? code}), most likely for using too much memory.`,
    );
  }
  const cause = stderr ? `: ${firstLine(stderr)}` : '.';
  return new LonghaulError(
    'ENGINE_FAILED',
    `${program}'s process ended with ${signal ?? code ?? 'no code'}${cause}`,
  );
}
