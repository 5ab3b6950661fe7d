import { rmSync } from 'node:fs';
import { toPlainError, type PlainError } from '../engine-errors.ts';
import { runJob } from './job.ts';
import type { DuckDbJob } from './plan.ts';

/** A conversion has its own process: an internal error of DuckDB ends no other, and killing it ends the work. */
export type ChildMessage = { bytes: number } | { done: true } | { error: PlainError };

let scratchFolder: string | undefined;

process.once('message', (message) => {
  const job = message as DuckDbJob;
  scratchFolder = job.s3?.scratchFolder;
  runJob(job, (bytes) => send({ bytes })).then(
    () => finish({ done: true }),
    (error: unknown) => finish({ error: toPlainError(error) }),
  );
});

// The worker is gone. No process waits for the result, and another process may remove its folder at any time.
process.once('disconnect', () => {
  if (scratchFolder !== undefined) rmSync(scratchFolder, { recursive: true, force: true });
  process.kill(process.pid, 'SIGKILL');
});

function send(message: ChildMessage): void {
  process.send?.(message);
}

function finish(message: ChildMessage): void {
  process.send?.(message, undefined, {}, () => process.exit());
}
