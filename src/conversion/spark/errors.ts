import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { s3Error } from '../../storage/s3/errors.ts';
import type { SparkEnd } from '../../programs/spark-submit.ts';
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
  const ofStore = bucket === undefined ? undefined : storeError(error, bucket);
  if (ofStore) return ofStore;
  if (/permission denied|read-only file system|AccessDeniedException|Mkdirs failed/i.test(text)) {
    return new LonghaulError('LAKE_NOT_WRITABLE', line);
  }
  return new LonghaulError('ENGINE_FAILED', line);
}

/** Of a Spark that ended without a result: what it wrote to its standard error last tells most. */
export function deathError(
  { code, signal, stderr }: SparkEnd,
  bucket: string | undefined,
): LonghaulError {
  const cause = probableCause(stderr);
  if (cause) return sparkError(cause, bucket);
  const ending = `Spark ended with ${signal ?? code ?? 'no code'}`;
  // SIGKILL that is not ours is the kernel's, or a container's, answer to too much memory.
  if (signal === 'SIGKILL' || code === SHELL_KILLED || /insufficient memory/i.test(stderr)) {
    return outOfMemory(`${ending}, most likely for using too much memory.`);
  }
  const last = firstLine(stderr.trim().split('\n').at(-1) ?? '');
  return new LonghaulError('ENGINE_FAILED', last === '' ? `${ending}.` : `${ending}: ${last}`);
}

/** How a shell, and Python, say that a child was killed by signal 9. */
const SHELL_KILLED = 137;

function outOfMemory(message: string): LonghaulError {
  return new LonghaulError('ENGINE_OUT_OF_MEMORY', message, { hint: MEMORY_HINT });
}

/** `… (Service: S3, Status Code: 403, Request ID: …)`, with S3's own code where the SDK tells it. */
function storeError({ kind, message }: SparkError, bucket: string): LonghaulError | undefined {
  const status = /Status Code: (\d{3})/.exec(message)?.[1];
  const isOfNetwork = NETWORK.test(`${kind}: ${message}`);
  if (status === undefined && !isOfNetwork && !CREDENTIALS.test(message)) return undefined;
  const failure = Object.assign(new Error(firstLine(message)), {
    name: nameOf(kind, message),
    ...(isOfNetwork && status === undefined ? { code: 'ECONNRESET' } : {}),
    $metadata: status === undefined ? {} : { httpStatusCode: Number(status) },
  });
  const found = s3Error(failure, { permission: 'PutObject', bucket });
  return found instanceof LonghaulError ? found : undefined;
}

const NETWORK =
  /SocketTimeout|ConnectTimeout|ConnectException|Connection re(?:fused|set)|UnknownHost|NoRouteToHost|ApiCallTimeout/;
const CREDENTIALS = /Unable to load (?:AWS )?credentials|No AWS Credentials/i;

/** S3's own code, by the sentence that goes with it. */
const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/Access Key Id you provided does not exist/i, 'InvalidAccessKeyId'],
  [/signature we calculated does not match/i, 'SignatureDoesNotMatch'],
  [/token (?:has expired|is expired)|ExpiredToken/i, 'ExpiredToken'],
  [/token included in the request is invalid|InvalidToken/i, 'InvalidToken'],
  [/bucket does not exist/i, 'NoSuchBucket'],
  [/Access Denied/i, 'AccessDenied'],
  [/reduce your request rate/i, 'SlowDown'],
  [CREDENTIALS, 'CredentialsProviderError'],
];

function nameOf(kind: string, message: string): string {
  const known = SENTENCES.find(([sentence]) => sentence.test(message))?.[1];
  return known ?? kind.replace(/^.*[.$]/, '').replace(/Exception$/, '');
}

/** Long enough for a message with its path, short enough for one line of a terminal or two. */
const MAX_LINE_CHARACTERS = 400;

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return printable(line.slice(0, MAX_LINE_CHARACTERS));
}
