import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { s3Error, type S3Request } from './errors.ts';

/**
 * Returns the catalogue's error for DuckDB's error about S3, or undefined if the error is about something else. The
 * error never holds credentials: httpfs sends them in headers, and its messages hold addresses, statuses and S3's text.
 * @param message of DuckDB's error: `HTTP Error: HTTP GET error reading 's3://…' in region '…' (HTTP 403 Forbidden)`,
 *   followed by `AccessDenied: …` if S3 gave a reason.
 */
export function duckDbS3Error(message: string, bucket: string): LonghaulError | undefined {
  const [first = ''] = message.split('\n', 1);
  if (!/^(?:\w+ )*(?:HTTP|IO) Error: /.test(first)) return undefined;
  const status = /\bHTTP (\d{3})\b/.exec(first)?.[1];
  const method = /\bHTTP (HEAD|GET|PUT|POST|DELETE)\b/.exec(first)?.[1];
  if (method === undefined) return undefined;
  const inBody = /^(\w+): (.*)$/m.exec(message.slice(first.length));
  const key = keyIn(first, bucket);
  if (status === '404' && !WRITES.has(method)) {
    const uri = `s3://${bucket}/${key ?? ''}`;
    return new LonghaulError('LAKE_CORRUPT', `${uri} is gone.`);
  }
  const permission = WRITES.has(method) ? 'PutObject' : 'GetObject';
  const [name = 'Error', words = first] = inBody?.slice(1) ?? [];
  return errorOfEngine({ name, words, status }, { permission, bucket, key });
}

const WRITES = new Set(['PUT', 'POST', 'DELETE']);

/** Finds the key in `'s3://bucket/key'`, `'https://host/bucket/key'` or `'https://bucket.host/key'`. */
function keyIn(text: string, bucket: string): string | undefined {
  const address = /'(?:s3|https?):\/\/[^/']+\/([^'?]*)/.exec(text)?.[1];
  if (address === undefined) return undefined;
  const isByPath = /'https?:/.test(text) && address.startsWith(`${bucket}/`);
  // The `=` of `ingest_date=…` is the only character of Longhaul's keys that is escaped.
  return (isByPath ? address.slice(bucket.length + 1) : address).replaceAll(/%3D/gi, '=');
}

/** An exception of Java, as Spark reports it. */
interface JavaException {
  /** The full name of the exception's class. */
  kind: string;
  message: string;
}

/**
 * Returns the catalogue's error for an error of Hadoop's S3A about S3, or undefined if the error is about something
 * else. The error never holds credentials.
 * @param exception `… (Service: S3, Status Code: 403, Request ID: …)`, with S3's code if the SDK gives it.
 */
export function s3aError(
  { kind, message }: JavaException,
  reach: { permission: 'GetObject' | 'PutObject'; bucket: string },
): LonghaulError | undefined {
  const status = /Status Code: (\d{3})/.exec(message)?.[1];
  const isOfS3 = NETWORK.test(`${kind}: ${message}`) || CREDENTIALS.test(message);
  if (status === undefined && !isOfS3) return undefined;
  const words = printable(message.split('\n', 1)[0] ?? '');
  return errorOfEngine({ name: nameOf(kind, message), words, status }, reach);
}

const NETWORK =
  /SocketTimeout|ConnectTimeout|ConnectException|Connection re(?:fused|set)|UnknownHost|NoRouteToHost|ApiCallTimeout/;
const CREDENTIALS = /Unable to load (?:AWS )?credentials|No AWS Credentials/i;

/** S3's code for each sentence that S3A may show without the code. */
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

/** Returns the error that `s3Error` makes if this process's SDK throws it. No status means that S3 did not answer. */
function errorOfEngine(
  { name, words, status }: { name: string; words: string; status: string | undefined },
  request: S3Request,
): LonghaulError | undefined {
  const failure = Object.assign(new Error(words), {
    name,
    code: status === undefined ? 'ECONNRESET' : undefined,
    $metadata: { httpStatusCode: status === undefined ? undefined : Number(status) },
  });
  const found = s3Error(failure, request);
  return found instanceof LonghaulError ? found : undefined;
}
