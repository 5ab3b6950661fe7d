import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { prepareCsv } from '../prepare.ts';
import type { DuckDbJob, S3Access } from './plan.ts';

/** How often DuckDB is asked how far it is: often enough for a bar, too seldom to cost anything. */
const PROGRESS_INTERVAL_MS = 250;

/** Percent: only the end itself is reported as 100. */
const MOST_BEFORE_END = 99;

/** DuckDB counts its progress only where a progress bar is wanted; the bar itself would go to standard output. */
const COUNT_PROGRESS = ['SET enable_progress_bar = true', 'SET enable_progress_bar_print = false'];

/** The part of the input's bytes that preparing them counts for, where they have to be prepared. */
const PREPARATION_SHARE = 0.2;

/**
 * What DuckDB's uploads are cut for: it holds a ten-thousandth of this for each part, which then is 16 MiB and not the
 * 80 MB that it takes for the largest object that S3 allows. No part of ours comes near to it.
 */
const MAX_UPLOAD_SIZE = '160GiB';

/**
 * Does a job in this process: DuckDB's threads do the work, this one only waits.
 * @param onProgress bytes of the range done so far.
 * @throws LonghaulError of S3 and of what is read for preparing it; DuckDB's own errors; Error for missing rows.
 */
export async function runJob(job: DuckDbJob, onProgress: (bytes: number) => void): Promise<void> {
  const share = job.preparation ? PREPARATION_SHARE : 0;
  if (job.preparation) {
    await prepareCsv(job.preparation, (bytes) => onProgress(Math.floor(bytes * share)));
  }
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    if (job.s3) await openS3(connection, job.s3);
    for (const statement of [...COUNT_PROGRESS, ...job.settings]) await connection.run(statement);
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

/** With credentials as they are now, just before they are used. */
async function openS3(connection: DuckDBConnection, access: S3Access): Promise<void> {
  // The SDK, which a child that works on disk does not need.
  const { openDuckDbS3 } = await import('../../storage/s3/engine-access.ts');
  await openDuckDbS3(connection, access);
  await connection.run(`SET s3_uploader_max_filesize = '${MAX_UPLOAD_SIZE}'`);
}

/** DuckDB's reader mostly notices when it is misled; where it does not, the number of rows shows it. */
async function copy(connection: DuckDBConnection, job: DuckDbJob): Promise<void> {
  const result = await connection.runAndReadAll(job.copy);
  const rows = Number(result.getRowsJS()[0]?.[0]);
  if (rows !== job.records) throw new Error(`It wrote ${rows} rows of ${job.records} records.`);
}

function followProgress(
  connection: DuckDBConnection,
  onProgress: (done: number) => void,
): () => void {
  let furthest = 0;
  const timer = setInterval(() => {
    const { percentage } = connection.progress;
    // Unknown is −1; and DuckDB may say 100 % before the last row group is written.
    furthest = Math.max(furthest, Math.min(percentage, MOST_BEFORE_END));
    // Also without a change of the percentage: the written file grows.
    if (furthest > 0) onProgress(furthest / 100);
  }, PROGRESS_INTERVAL_MS);
  return () => clearInterval(timer);
}
