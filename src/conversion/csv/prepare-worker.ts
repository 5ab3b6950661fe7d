import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError, type PlainError } from '../plain-error.ts';
import { prepareCsv, type Preparation } from './prepare.ts';

/** A range prepared in a thread of its own. */
export type PrepareMessage = { bytes: number } | { done: true } | { error: PlainError };

function send(message: PrepareMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(message);
}

prepareCsv(workerData as Preparation, (bytes) => send({ bytes })).then(
  () => send({ done: true }),
  (error: unknown) => send({ error: toPlainError(error) }),
);
