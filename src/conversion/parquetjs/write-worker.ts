import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError, type PlainError } from '../plain-error.ts';
import { writeFile } from './write-file.ts';
import type { FileToWrite } from './write-file.ts';

/** Writes one file; messages to the parent are `WriteMessage`s. */
export type WriteMessage = { bytes: number } | { done: true } | { error: PlainError };

try {
  await writeFile(workerData as FileToWrite, (bytes) => send({ bytes }));
  send({ done: true });
} catch (error) {
  send({ error: toPlainError(error) });
}

function send(message: WriteMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(message);
}
