import { parentPort, workerData } from 'node:worker_threads';
import { writeFile } from './write-file.ts';
import type { FileToWrite } from './write-file.ts';

/** Converts one file; messages to the parent are `WriteMessage`s. */
export type WriteMessage =
  { bytes: number } | { done: true } | { error: string; code: string | undefined };

try {
  await writeFile(workerData as FileToWrite, (bytes) => send({ bytes }));
  send({ done: true });
} catch (error) {
  // The writer throws strings.
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  send({ error: error instanceof Error ? error.message : String(error), code });
}

function send(message: WriteMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(message);
}
