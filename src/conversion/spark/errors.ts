import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { s3aError } from '../../storage/s3/engine-errors.ts';
import type { SparkEnd } from '../../programs/spark-process.ts';
import type { SparkError } from './job.ts';
import { causeText, probableCause } from './probable-cause.ts';

const MEMORY_HINT = 'Raise SPARK_DRIVER_MEMORY in .env, then `longhaul retry <run>`.';

/**
 * The catalogue's error for what the job says of its last cause.
 * @param bucket where it reaches into one.
 */
export function sparkError(error: SparkError, bucket: string | undefined): LonghaulError {
  const line = `Spark: ${causeText({ ...error, message: firstLine(error.message) })}`;
  const text = `${error.kind}: ${error.message}`;
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    return new LonghaulError('DISK_FULL', line);
  }
  if (/OutOfMemoryError|Java heap space|GC overhead|not enough memory to build/i.test(text)) {
    return outOfMemory(line);
  }
  const ofStore =
    bucket === undefined ? undefined : s3aError(error, { permission: 'PutObject', bucket });
  if (ofStore) return ofStore;
  if (/permission denied|read-only file system|AccessDeniedException|Mkdirs failed/i.test(text)) {
    return new LonghaulError('LAKE_NOT_WRITABLE', line);
  }
  return new LonghaulError('ENGINE_FAILED', line);
}

/** Undefined where memory was enough. Whatever else failed behind it, and the job may say, failed for want of it. */
export function memoryError({ stderr }: Pick<SparkEnd, 'stderr'>): LonghaulError | undefined {
  const memory = /^.*(OutOfMemoryError.*|System memory \d+ must be at least .*)$/m.exec(
    stderr,
  )?.[1];
  return memory === undefined ? undefined : outOfMemory(`Spark: ${firstLine(memory)}`);
}

/** For a Spark that ended without a result: the last lines of its standard error explain most. */
export function deathError(end: SparkEnd, bucket: string | undefined): LonghaulError {
  const { code, signal, stderr } = end;
  const memory = memoryError(end);
  if (memory) return memory;
  const cause = probableCause(stderr);
  if (cause) return sparkError(cause, bucket);
  const ending = `Spark ended with ${signal ?? code ?? 'no code'}`;
  // SIGKILL that is not ours is the kernel's, or a container's, answer to too much memory.
  if (signal === 'SIGKILL' || code === SHELL_KILLED || /insufficient memory/i.test(stderr)) {
    return outOfMemory(`${ending}, most likely for using too much memory.`);
  }
  const last = firstLine(stderr.split('\n').findLast((line) => isTelling(line)) ?? '');
  return new LonghaulError('ENGINE_FAILED', last === '' ? `${ending}.` : `${ending}: ${last}`);
}

/** Spark and the JVM warn of much that is harmless, up to their last moment: no cause is among it. */
function isTelling(line: string): boolean {
  return (
    line.trim() !== '' && !/^(?:[\d/-]+ [\d:.,]+ )?(?:WARN|INFO|DEBUG|TRACE)(?:ING)?\b/.test(line)
  );
}

/** How a shell, and Python, say that a child was killed by signal 9. */
const SHELL_KILLED = 137;

function outOfMemory(message: string): LonghaulError {
  return new LonghaulError('ENGINE_OUT_OF_MEMORY', message, { hint: MEMORY_HINT });
}

/** Long enough for a message with its path, short enough for one line of a terminal or two. */
const MAX_LINE_CHARACTERS = 400;

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return printable(line.slice(0, MAX_LINE_CHARACTERS));
}
