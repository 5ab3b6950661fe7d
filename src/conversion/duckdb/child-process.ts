import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { ChildMessage } from './child.ts';
import { deathError, jobError } from './errors.ts';
import type { DuckDbJob } from './plan.ts';

/** The end of what the child wrote to its standard error, where it died without a message. */
const MAX_STDERR_CHARACTERS = 2000;

/**
 * Does a job in a child process; none is left when this returns or throws.
 * @param onProgress bytes of the range done so far.
 * @throws LonghaulError as `ConversionEngine`; the signal's reason when it aborts.
 */
export async function runInChild(
  job: DuckDbJob,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  signal.throwIfAborted();
  const child = fork(new URL('./child.js', import.meta.url), {
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
    if ('bytes' in message) onProgress(message.bytes);
    else outcome = message;
  });
  try {
    child.send(job, (error) => error && kill());
    const [code, exitSignal] = (await once(child, 'close')) as [number | null, string | null];
    signal.throwIfAborted();
    if (outcome && 'done' in outcome) return;
    if (outcome && 'error' in outcome) throw jobError(outcome.error, job.s3?.settings.bucket);
    throw deathError(code, exitSignal, stderr);
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
  }
}
