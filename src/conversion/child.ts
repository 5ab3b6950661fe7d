import { rmSync } from 'node:fs';
import { toPlainError } from './engine-errors.ts';
import type { ChildMessage, ChildTask } from './in-child.ts';

/** The main module of a child process: see `runInChild`. */

type Work = (job: never, onProgress: (bytes: number) => void) => Promise<unknown>;

/** The work that a child can do. Each kind loads only its own modules. */
const WORK: Record<ChildTask['work'], () => Promise<Work>> = {
  duckdb: async () => (await import('./duckdb/job.ts')).runJob,
  parquetjs: async () => (await import('./parquetjs/write-file.ts')).writeFile,
  prepare: async () => (await import('./prepare.ts')).prepareCsv,
  profile: async () => (await import('./inspect.ts')).profileRange,
};

let scratchFolder: string | undefined;

// A terminal's Ctrl-C and systemd send their signal to all processes of a worker. The worker ends its children itself.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => undefined);

process.once('message', (task) => {
  const { work, job, scratchFolder: folder } = task as ChildTask;
  scratchFolder = folder;
  WORK[work]()
    .then(async (run) => await run(job as never, (bytes) => process.send?.({ bytes })))
    .then(
      (result) => finish({ result }),
      (error: unknown) => finish({ error: toPlainError(error) }),
    );
});

// The worker is gone. No process waits for the result, and another process may remove its folder at any time.
process.once('disconnect', () => {
  if (scratchFolder !== undefined) rmSync(scratchFolder, { recursive: true, force: true });
  process.kill(process.pid, 'SIGKILL');
});

function finish(message: ChildMessage): void {
  process.send?.(message, undefined, {}, () => process.exit());
}
