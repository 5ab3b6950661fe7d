import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { s3Error } from './errors.ts';

/** As Spark tells it. */
interface JavaException {
  /** Its class. */
  kind: string;
  message: string;
}

/**
 * The catalogue's error for what Hadoop's S3A says of S3; undefined for what is about something else. It never names
 * credentials.
 * @param exception `… (Service: S3, Status Code: 403, Request ID: …)`, with S3's own code where the SDK tells it.
 */
export function s3aError(
  { kind, message }: JavaException,
  reach: { permission: 'GetObject' | 'PutObject'; bucket: string },
): LonghaulError | undefined {
  const status = /Status Code: (\d{3})/.exec(message)?.[1];
  const isOfNetwork = NETWORK.test(`${kind}: ${message}`);
  if (status === undefined && !isOfNetwork && !CREDENTIALS.test(message)) return undefined;
  const failure = Object.assign(new Error(printable(message.split('\n', 1)[0] ?? '')), {
    name: nameOf(kind, message),
    ...(isOfNetwork && status === undefined ? { code: 'ECONNRESET' } : {}),
    $metadata: status === undefined ? {} : { httpStatusCode: Number(status) },
  });
  const found = s3Error(failure, reach);
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
