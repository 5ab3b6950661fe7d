import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError } from './engine-errors.ts';
import type { Message, ThreadData } from './thread.ts';

type Work = (job: never, onProgress: (bytes: number) => void) => Promise<unknown>;

/** The work that a thread can do. Each kind loads only its own modules. */
const WORK: Record<ThreadData<never>['work'], () => Promise<Work>> = {
  prepare: async () => (await import('./prepare.ts')).prepareCsv,
  profile: async () => (await import('./profile-file.ts')).profileRange,
  write: async () => (await import('./parquetjs/write-file.ts')).writeFile,
};

function send(message: Message<unknown>): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(message);
}

const { work, job } = workerData as ThreadData<never>;
try {
  const run = await WORK[work]();
  send({ result: await run(job, (bytes) => send({ bytes })) });
} catch (error) {
  send({ error: toPlainError(error) });
}
