import { stagingPrefix } from '../../model/layout.ts';

/** The `SparkJob`. */
export function jobKey(sparkPrefix: string): string {
  return `${sparkPrefix}job.json`;
}

/** The copies that Spark reads. */
export function shardsPrefix(sparkPrefix: string): string {
  return `${sparkPrefix}shards/`;
}

/** Of the run's jobs with many sources: an attempt's own files, and the starts that have no result. */
export function batchPrefix(runId: string, what: string): string {
  return `${stagingPrefix(runId)}_spark/${what}/`;
}
