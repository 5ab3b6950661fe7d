import { LonghaulError } from '../../model/errors.ts';
import { s3Error } from './errors.ts';

/**
 * The catalogue's error for what DuckDB's httpfs says of S3; undefined for what is about something else. It never
 * names credentials: httpfs signs in headers, and says addresses, statuses and S3's own words.
 * @param message of DuckDB's error: `HTTP Error: HTTP GET error reading 's3://…' in region '…' (HTTP 403 Forbidden)`,
 *   followed by S3's `AccessDenied: …` where it said so.
 */
export function duckDbS3Error(message: string, bucket: string): LonghaulError | undefined {
  const [first = ''] = message.split('\n', 1);
  if (!/^(?:\w+ )*(?:HTTP|IO) Error: /.test(first)) return undefined;
  const status = /\bHTTP (\d{3})\b/.exec(first)?.[1];
  const method = /\bHTTP (HEAD|GET|PUT|POST|DELETE)\b/.exec(first)?.[1];
  if (method === undefined) return undefined;
  const said = /^(\w+): (.*)$/m.exec(message.slice(first.length));
  const key = keyIn(first, bucket);
  if (status === '404' && !WRITES.has(method)) {
    const uri = `s3://${bucket}/${key ?? ''}`;
    return new LonghaulError('LAKE_CORRUPT', `${uri} is gone.`);
  }
  const failure = Object.assign(new Error(said ? said[2] : first), {
    name: said?.[1] ?? 'Error',
    // Without a status there was no answer.
    ...(status === undefined ? { code: 'ECONNRESET' } : {}),
    $metadata: status === undefined ? {} : { httpStatusCode: Number(status) },
  });
  const permission = WRITES.has(method) ? 'PutObject' : 'GetObject';
  const found = s3Error(failure, { permission, bucket, key });
  return found instanceof LonghaulError ? found : undefined;
}

const WRITES = new Set(['PUT', 'POST', 'DELETE']);

/** `'s3://bucket/key'`, `'https://host/bucket/key'` or `'https://bucket.host/key'`. */
function keyIn(text: string, bucket: string): string | undefined {
  const address = /'(?:s3|https?):\/\/[^/']+\/([^'?]*)/.exec(text)?.[1];
  if (address === undefined) return undefined;
  const isByPath = /'https?:/.test(text) && address.startsWith(`${bucket}/`);
  // `=` of `ingest_date=…` is all that our keys have to escape.
  return (isByPath ? address.slice(bucket.length + 1) : address).replaceAll(/%3D/gi, '=');
}
