import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { DuckDbS3Access } from '../../storage/s3/engine-access.ts';
import { prepareCsv } from '../prepare.ts';
import type { DuckDbJob } from './plan.ts';

/** Time between two reports of DuckDB's progress: often enough for a bar, and too seldom to cost time. */
const PROGRESS_INTERVAL_MS = 250;

/** Largest percentage before the end: only the end itself is reported as 100. */
const MOST_BEFORE_END = 99;

/** DuckDB counts its progress only if a progress bar is enabled. The bar itself would go to standard output. */
const COUNT_PROGRESS = ['SET enable_progress_bar = true', 'SET enable_progress_bar_print = false'];

/** If the input must be prepared, preparing counts as this share of its bytes. */
const PREPARATION_SHARE = 0.2;

/**
 * Largest object for which DuckDB sizes its uploads. It holds a ten-thousandth of this for each part: 16 MiB. By
 * default it holds 80 MB, for the largest object that S3 allows. Longhaul's parts are far smaller.
 */
const MAX_UPLOAD_SIZE = '160GiB';

/**
 * Runs a job in this process. DuckDB's threads do the work; this thread only waits.
 * @param onProgress bytes of the range done so far.
 * @throws LonghaulError of S3 and of reading the input for preparation; DuckDB's errors; Error for missing rows.
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

/** Gives DuckDB the current credentials, just before it uses them. */
async function openS3(connection: DuckDBConnection, access: DuckDbS3Access): Promise<void> {
  // This loads the AWS SDK. A child that works on disk does not need it.
  const { openDuckDbS3 } = await import('../../storage/s3/engine-access.ts');
  await openDuckDbS3(connection, access);
  await connection.run(`SET s3_uploader_max_filesize = '${MAX_UPLOAD_SIZE}'`);
}

/** DuckDB's reader mostly notices when it misreads a file. If it does not, the number of rows shows it. */
async function copy(connection: DuckDBConnection, job: DuckDbJob): Promise<void> {
  const result = await connection.runAndReadAll(job.copy);
  const rows = Number(result.getRowsJS()[0]?.[0]);
  if (rows !== job.records)
    throw new Error(`The engine wrote ${rows} rows for ${job.records} records.`);
}

function followProgress(
  connection: DuckDBConnection,
  onProgress: (done: number) => void,
): () => void {
  let furthest = 0;
  const timer = setInterval(() => {
    const { percentage } = connection.progress;
    // DuckDB says −1 if it does not know. It may say 100 % before it has written the last row group.
    furthest = Math.max(furthest, Math.min(percentage, MOST_BEFORE_END));
    // Reports also if the percentage is unchanged, because the written file grows.
    if (furthest > 0) onProgress(furthest / 100);
  }, PROGRESS_INTERVAL_MS);
  return () => clearInterval(timer);
}
