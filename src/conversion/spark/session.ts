import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SparkEnd } from '../../programs/spark-process.ts';
import { submitSpark, type SparkCommand, type SparkPrograms } from '../../programs/spark-submit.ts';
import { openTemporaryFolder, type TemporaryFolder } from '../../storage/temporary-folder.ts';
import { deathError, memoryError } from './errors.ts';
import type { SparkJob, SparkResult } from './job.ts';

const SCRIPT = fileURLToPath(new URL('convert.py', import.meta.url));

/** A Spark that did a task before ended without having seen this one: another can do it. */
export class SparkGone extends Error {}

/** How Spark is started. Other users cannot see its environment; they can see the rest. */
export type SparkStart = SparkPrograms &
  Pick<SparkCommand, 'master' | 'driverMemory' | 'conf' | 'env' | 'onNote'>;

export interface SparkTask {
  /** Spark starts meanwhile; its rejection is the task's. */
  job: Promise<SparkJob>;
  /** Where files of the job lie in a bucket: errors name it. */
  bucket?: string | undefined;
  signal: AbortSignal;
  /** @param bytes of the inputs done so far. */
  onProgress: (bytes: number) => void;
}

/** What the script prints, a line each time. */
interface Said {
  /** The number of a job that it has found. */
  begun?: number;
  /** Bytes of the job's inputs, read so far. */
  bytes?: number;
  /** The number of a job that has its parts. */
  done?: number;
}

/**
 * One Spark, in a process group of its own, that does jobs one after the other until one fails: no process of it is left
 * after that, nor when this process is killed.
 */
export class SparkSession {
  readonly #scratch: TemporaryFolder;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<SparkEnd>;
  #isOpen = true;
  #jobs = 0;
  #hear: (said: Said) => void = () => undefined;

  /** While Spark starts; that it cannot is its first task's error. */
  static async open(start: SparkStart): Promise<SparkSession> {
    return new SparkSession(start, await openTemporaryFolder());
  }

  private constructor(start: SparkStart, scratch: TemporaryFolder) {
    this.#scratch = scratch;
    this.#ended = submitSpark({
      ...start,
      script: SCRIPT,
      args: ['--jobs', scratch.folder],
      scratchFolder: scratch.folder,
      signal: this.#stopping.signal,
      onLine: (line) => this.#hear(parsed(line) ?? {}),
    }).finally(() => (this.#isOpen = false));
    // The caller that waits for a task gets the error.
    this.#ended.catch(() => undefined);
  }

  /** Whether it can take another task. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * @throws LonghaulError PROGRAM_NOT_INSTALLED, and as `ConversionEngine`; SparkGone; the signal's reason when it aborts.
   */
  async run({ job, bucket, signal, onProgress }: SparkTask): Promise<SparkResult> {
    const number = (this.#jobs += 1);
    const resultPath = this.#path('result', number);
    const gaveUp = new AbortController();
    let hasBegun = false;
    const done = new Promise<void>((resolve) => {
      this.#hear = (said) => {
        if (said.begun === number) hasBegun = true;
        if (said.bytes !== undefined) onProgress(said.bytes);
        if (said.done === number) resolve();
      };
    });
    void this.#handOver(job, number).catch((error: unknown) => gaveUp.abort(error));
    await this.#endOf(done, AbortSignal.any([signal, gaveUp.signal]));
    const result = await readFile(resultPath, 'utf8').catch(() => '');
    const said = parsed(result) as SparkResult | undefined;
    if (said && 'parts' in said) return said;
    // What could not do its job ends.
    const end = await this.#ended;
    if (!hasBegun && number > 1) throw new SparkGone();
    if (!said) throw deathError(end, bucket);
    const memory = memoryError(end);
    if (memory) throw memory;
    return said;
  }

  /** Until its processes are gone. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#stopping.abort(new Error('It is not needed any more.'));
    await this.#ended.catch(() => undefined);
    await this.#scratch.close();
  }

  /** Until the job is done or Spark has ended, which an abort makes it do. */
  async #endOf(done: Promise<void>, signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#stopping.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await Promise.race([done, this.#ended]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Whole at once: Spark waits for it. */
  async #handOver(job: Promise<SparkJob>, number: number): Promise<void> {
    const result = fileUri(this.#path('result', number));
    const path = this.#path('job', number);
    await writeFile(`${path}.new`, JSON.stringify({ ...(await job), result }));
    await rename(`${path}.new`, path);
  }

  #path(what: 'job' | 'result', number: number): string {
    return join(this.#scratch.folder, `${what}-${number}.json`);
  }
}

/** As Hadoop's file systems take it: nothing in it is an escape. */
export function fileUri(path: string): string {
  return `file://${path}`;
}

/** Undefined for a text that is no JSON: a JVM without memory may have written half of it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
