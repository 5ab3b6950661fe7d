import { runJob } from './job.ts';
import type { DuckDbJob } from './plan.ts';

/** One conversion in a process of its own: DuckDB's internal errors kill it alone, and ending it ends the work. */
export type ChildMessage = { bytes: number } | { done: true } | { error: string };

process.once('message', (job) => {
  runJob(job as DuckDbJob, (bytes) => send({ bytes })).then(
    () => finish({ done: true }),
    (error: unknown) => finish({ error: error instanceof Error ? error.message : String(error) }),
  );
});

// Whoever started this is gone: nobody waits for the result, and its folder may be cleaned up at any time.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

function send(message: ChildMessage): void {
  process.send?.(message);
}

function finish(message: ChildMessage): void {
  process.send?.(message, undefined, {}, () => process.exit());
}
