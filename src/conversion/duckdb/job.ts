import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { prepareCsv } from '../csv/prepare.ts';
import type { DuckDbJob } from './plan.ts';

/** How often DuckDB is asked how far it is: often enough for a bar, too seldom to cost anything. */
const PROGRESS_INTERVAL_MS = 250;

/** The part of the input's bytes that preparing them counts for, where they have to be prepared. */
const PREPARATION_SHARE = 0.2;

/** Does a job in this process: DuckDB's threads do the work, this one only waits. */
export async function runJob(job: DuckDbJob, onProgress: (bytes: number) => void): Promise<void> {
  const share = job.preparation ? PREPARATION_SHARE : 0;
  if (job.preparation) {
    await prepareCsv(job.preparation, (bytes) => onProgress(Math.floor(bytes * share)));
  }
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    for (const statement of job.settings) await connection.run(statement);
    const stop = followProgress(connection, (done) =>
      onProgress(Math.floor(job.inputBytes * (share + (1 - share) * done))),
    );
    try {
      await copy(connection, job);
    } finally {
      stop();
    }
    onProgress(job.inputBytes);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Misled, the parallel reader mostly notices; where it does not, the number of rows tells. */
async function copy(connection: DuckDBConnection, job: DuckDbJob): Promise<void> {
  const { copySerially, records } = job;
  let rows = await rowsCopied(connection, job.copy).catch((error: unknown) => {
    if (copySerially === undefined) throw error;
    return NO_ROWS;
  });
  if (rows !== records && copySerially !== undefined) {
    rows = await rowsCopied(connection, copySerially);
  }
  if (rows !== records) throw new Error(`It wrote ${rows} rows of ${records} records.`);
}

const NO_ROWS = -1;

async function rowsCopied(connection: DuckDBConnection, statement: string): Promise<number> {
  const result = await connection.runAndReadAll(statement);
  return Number(result.getRowsJS()[0]?.[0]);
}

function followProgress(
  connection: DuckDBConnection,
  onProgress: (done: number) => void,
): () => void {
  let furthest = 0;
  const timer = setInterval(() => {
    const { percentage } = connection.progress;
    furthest = Math.max(furthest, Math.min(percentage, 100) / 100);
    onProgress(furthest);
  }, PROGRESS_INTERVAL_MS);
  return () => clearInterval(timer);
}
