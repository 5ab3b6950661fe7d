import { LonghaulError } from '../../model/errors.ts';
import { s3aError } from '../../storage/s3/engine-errors.ts';
import type { SparkEnd } from '../../programs/spark-submit.ts';
import { engineError, firstLine } from '../engine-errors.ts';
import type { SparkError } from './job.ts';

const MEMORY_HINT = 'Raise SPARK_DRIVER_MEMORY in .env, then `longhaul retry <run>`.';

/**
 * The catalogue's error for the last cause that the job reports.
 * @param bucket the bucket that the job uses, if it uses S3.
 */
export function sparkError(error: SparkError, bucket: string | undefined): LonghaulError {
  const { kind, message } = error;
  const line = `Spark: ${causeText({ kind, message: firstLine(message) })}`;
  const ofStore =
    bucket === undefined ? undefined : s3aError(error, { permission: 'PutObject', bucket });
  const found = engineError(line, `${kind}: ${message}`, ofStore);
  return found.code === 'ENGINE_OUT_OF_MEMORY' ? outOfMemory(line) : found;
}

/** Undefined if memory was enough. If it was not, other errors of the session are consequences. */
export function memoryError({ stderr }: Pick<SparkEnd, 'stderr'>): LonghaulError | undefined {
  const memory = /^.*(OutOfMemoryError.*|System memory \d+ must be at least .*)$/m.exec(
    stderr,
  )?.[1];
  return memory === undefined ? undefined : outOfMemory(`Spark: ${firstLine(memory)}`);
}

/** The error of a Spark that ended without a result. The last lines of its standard error explain most. */
export function deathError(end: SparkEnd, bucket: string | undefined): LonghaulError {
  const { code, signal, stderr } = end;
  const memory = memoryError(end);
  if (memory) return memory;
  const cause = probableCause(stderr);
  if (cause) return sparkError(cause, bucket);
  const ending = `Spark ended with ${signal ?? code ?? 'no code'}`;
  // If the worker did not send SIGKILL, the kernel or the container did, because of too much memory.
  if (signal === 'SIGKILL' || code === SHELL_KILLED || /insufficient memory/i.test(stderr)) {
    return outOfMemory(`${ending}, most likely for using too much memory.`);
  }
  const last = firstLine(stderr.split('\n').findLast((line) => isTelling(line)) ?? '');
  return new LonghaulError('ENGINE_FAILED', last === '' ? `${ending}.` : `${ending}: ${last}`);
}

/** Spark and the JVM print many harmless warnings, even in their last moment. These are not causes. */
function isTelling(line: string): boolean {
  return (
    line.trim() !== '' && !/^(?:[\d/-]+ [\d:.,]+ )?(?:WARN|INFO|DEBUG|TRACE)(?:ING)?\b/.test(line)
  );
}

/** Exit code with which a shell, or Python, reports that signal 9 killed a child. */
const SHELL_KILLED = 137;

function outOfMemory(message: string): LonghaulError {
  return new LonghaulError('ENGINE_OUT_OF_MEMORY', message, { hint: MEMORY_HINT });
}

/**
 * A JVM out of memory, because other errors of the session are consequences. Otherwise the last `Caused by` of the text,
 * the last exception of a JVM, or of Python. Undefined if the text has none of them (a kill, an empty log).
 */
export function probableCause(stderr: string): SparkError | undefined {
  const lines = stderr.split(/\r?\n/);
  for (const form of [OUT_OF_MEMORY, CAUSED_BY, JVM_EXCEPTION, PYTHON_EXCEPTION]) {
    for (const line of lines.toReversed()) {
      const [, kind, message = ''] = form.exec(line) ?? [];
      if (kind === undefined || INTERRUPTED.test(kind)) continue;
      return { kind, message: firstLine(message) };
    }
  }
  return undefined;
}

/** One line for the user: `java.io.IOException: No space left on device`. */
export function causeText({ kind, message }: SparkError): string {
  const name = kind.replace(/^.*\./, '');
  return message === '' ? name : `${name}: ${message}`;
}

const OUT_OF_MEMORY = /(java\.lang\.OutOfMemoryError)(?::\s*(.*))?$/;
/** A session that ends interrupts its other threads. What they report says nothing about why it ended. */
const INTERRUPTED = /(?:Interrupted(?:IO)?|Abort(?:ed)?)Exception$/;
const CLASS = String.raw`((?:[A-Za-z_][\w$]*\.)+[A-Z][\w$]*)`;
/** A cause in the driver, or in a task that the driver's message quotes. */
const CAUSED_BY = new RegExp(String.raw`^\s*Caused by: ${CLASS}(?::\s*(.*))?$`);
/** An exception at a line's start, behind `Exception in thread "…"`, or behind a log line's text and py4j's colon. */
const JVM_EXCEPTION = new RegExp(
  String.raw`^(?:: |Exception in thread "[^"]*" |.*\b(?:ERROR|FATAL)\b.*?: )?((?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable))(?::\s*(.*))?$`,
);
const PYTHON_EXCEPTION =
  /^((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt))(?::\s*(.*))?$/;
