import { Worker } from 'node:worker_threads';
import { ofCatalogue, toPlainError, type PlainError } from './engine-errors.ts';
import { together } from './together.ts';

/** A thread's messages: bytes as it goes on, and its end. */
export type Message<Result> = { bytes: number } | { result: Result } | { error: PlainError };

/** The data with which `thread-main.ts` starts. */
export interface ThreadData<Job> {
  work: 'prepare' | 'profile' | 'write';
  /** The job as plain data. */
  job: Job;
}

interface Thread<Job> extends ThreadData<Job> {
  signal: AbortSignal;
  onProgress: (bytes: number) => void;
  /** Makes the error from what the thread threw, or from how it ended. */
  errorOf?: (error: PlainError) => Error;
}

/** Runs a job in a thread, which has ended when this returns. @throws the signal's reason when it aborts. */
export async function runInThread<Job, Result>(thread: Thread<Job>): Promise<Result> {
  const { work, job, signal, onProgress, errorOf = plainly } = thread;
  signal.throwIfAborted();
  const data: ThreadData<Job> = { work, job };
  const worker = new Worker(new URL('./thread-main.js', import.meta.url), { workerData: data });
  let abort = (): void => undefined;
  try {
    return await new Promise<Result>((resolve, reject) => {
      abort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      worker.on('message', (message: Message<Result>) => {
        if ('bytes' in message) onProgress(message.bytes);
        else if ('result' in message) resolve(message.result);
        else reject(errorOf(message.error));
      });
      worker.once('error', (error) => reject(errorOf(toPlainError(error))));
      worker.once('exit', (code) => reject(errorOf({ message: `its thread ended with ${code}` })));
    });
  } finally {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}

/**
 * Runs jobs in threads. The first failure ends them all. It is thrown when the last thread has ended.
 * @param onProgress bytes of all jobs done so far.
 */
export async function runInThreads<Job, Result>(
  threads: readonly Omit<Thread<Job>, 'signal' | 'onProgress'>[],
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
  concurrency = Infinity,
): Promise<Result[]> {
  const done = threads.map(() => 0);
  return await together(threads, { signal, concurrency }, async (thread, index, stop) =>
    runInThread<Job, Result>({
      ...{ ...thread, signal: stop },
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
