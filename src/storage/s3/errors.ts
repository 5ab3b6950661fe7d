import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';

/** The failed request to S3. */
export interface S3Request {
  /** The IAM permission that it needs, without `s3:`. */
  permission: string;
  bucket: string;
  key?: string;
}

/** Returns the catalogue's error for an error of the SDK, and any other value unchanged. */
export function s3Error(error: unknown, request: S3Request): unknown {
  if (error instanceof LonghaulError || !(error instanceof Error) || error.name === 'AbortError') {
    return error;
  }
  const code = codeOf(error);
  if (!code) return error;
  const hint = hintFor(code, error);
  const message = messageOf(code, error, request);
  const details = hint === undefined ? {} : { hint };
  return new LonghaulError(code, message, details, { cause: causeOf(error) });
}

/** 412 means that the key exists. 409 means that another conditional write of the key is under way. */
export function isTaken(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409;
}

/** Whether fresh credentials may help. */
export function isExpired(error: unknown): boolean {
  return error instanceof Error && /^(?:ExpiredToken|TokenRefreshRequired)/.test(error.name);
}

/**
 * Whether the error is about the bucket or the caller. Then it says nothing about the object, whatever its status:
 * versitygw answers 404 for an unknown access key id.
 */
export function isOfStore(error: unknown): boolean {
  const code = error instanceof Error ? codeOf(error) : undefined;
  return ['STORE_CREDENTIALS', 'STORE_NO_BUCKET', 'STORE_WRONG_REGION'].includes(code ?? '');
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  AccessDenied: 'STORE_FORBIDDEN',
  AllAccessDisabled: 'STORE_FORBIDDEN',
  ExpiredToken: 'STORE_CREDENTIALS',
  ExpiredTokenException: 'STORE_CREDENTIALS',
  TokenRefreshRequired: 'STORE_CREDENTIALS',
  InvalidToken: 'STORE_CREDENTIALS',
  InvalidAccessKeyId: 'STORE_CREDENTIALS',
  XAdminUserNotFound: 'STORE_CREDENTIALS',
  SignatureDoesNotMatch: 'STORE_CREDENTIALS',
  RequestTimeTooSkewed: 'STORE_CREDENTIALS',
  CredentialsProviderError: 'STORE_CREDENTIALS',
  TokenProviderError: 'STORE_CREDENTIALS',
  NoSuchBucket: 'STORE_NO_BUCKET',
  InvalidBucketName: 'STORE_NO_BUCKET',
  PermanentRedirect: 'STORE_WRONG_REGION',
  IllegalLocationConstraintException: 'STORE_WRONG_REGION',
  QuotaExceeded: 'STORE_FULL',
  QuotaExceededException: 'STORE_FULL',
  XMinioStorageFull: 'STORE_FULL',
  XMinioAdminBucketQuotaExceeded: 'STORE_FULL',
  InsufficientCapacity: 'STORE_FULL',
  NoSuchUpload: 'UPLOAD_LOST',
  SlowDown: 'STORE_UNAVAILABLE',
  RequestTimeout: 'STORE_UNAVAILABLE',
  InternalError: 'STORE_UNAVAILABLE',
  ServiceUnavailable: 'STORE_UNAVAILABLE',
  // The body of the request broke off.
  IncompleteBody: 'STORE_UNAVAILABLE',
  // Two writers write one key at the same time.
  ConditionalRequestConflict: 'STORE_UNAVAILABLE',
  OperationAborted: 'STORE_UNAVAILABLE',
  // DNS does not know the name of a new bucket yet.
  TemporaryRedirect: 'STORE_UNAVAILABLE',
  TimeoutError: 'STORE_UNREACHABLE',
  // The endpoint is not a URL, for example, so the SDK sent no request.
  EndpointError: 'STORE_REFUSED',
};

const INSUFFICIENT_STORAGE = 507;
const NETWORK =
  /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|socket hang up|aborted/;
/** The store has no certificate that this machine trusts, or does not speak TLS. A retry does not help. */
const TLS = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS|ERR_SSL|EPROTO/;
const NO_REGION = /^Region is missing/;

function codeOf(error: ServiceError): ErrorCode | undefined {
  const named = CODES[error.name] ?? (error.code === undefined ? undefined : CODES[error.code]);
  if (named) return named;
  // If the region is wrong, S3 names the expected one. Any other malformed part comes from the credentials.
  if (error.name === 'AuthorizationHeaderMalformed') {
    return regionOf(error) === undefined ? 'STORE_CREDENTIALS' : 'STORE_WRONG_REGION';
  }
  const status = statusOf(error);
  if (status !== undefined) return codeOfStatus(status);
  if (NO_REGION.test(error.message)) return 'STORE_WRONG_REGION';
  if (TLS.test(error.code ?? '')) return 'STORE_REFUSED';
  return NETWORK.test(`${error.code ?? ''} ${error.message}`) ? 'STORE_UNREACHABLE' : undefined;
}

function codeOfStatus(status: number): ErrorCode {
  if (status === INSUFFICIENT_STORAGE) return 'STORE_FULL';
  if (status === 429 || (status >= 500 && status !== 501)) return 'STORE_UNAVAILABLE';
  if (status === 301) return 'STORE_WRONG_REGION';
  // The answer to a HEAD has no body with the name of the error.
  return status === 403 ? 'STORE_FORBIDDEN' : 'STORE_REFUSED';
}

function messageOf(
  code: ErrorCode,
  error: ServiceError,
  { permission, bucket, key }: S3Request,
): string {
  const place = `s3://${bucket}${key === undefined ? '' : `/${key}`}`;
  const why = sdkErrorText(error);
  switch (code) {
    case 'STORE_FORBIDDEN':
      return `S3 denies s3:${permission} on ${place} (${why}).`;
    case 'STORE_NO_BUCKET':
      return `There is no bucket ${bucket} (${why}).`;
    case 'STORE_WRONG_REGION': {
      const region = regionOf(error);
      if (NO_REGION.test(error.message)) return `No AWS region is set for the bucket ${bucket}.`;
      return `The bucket ${bucket} is in ${region ? `the region ${region}` : 'another region'} (${why}).`;
    }
    case 'STORE_CREDENTIALS':
      return error.name.endsWith('ProviderError')
        ? `There are no AWS credentials (${why}).`
        : `S3 does not accept the credentials (${why}).`;
    case 'STORE_FULL':
      return `S3 takes no more data: ${permission} of ${place} (${why}).`;
    case 'STORE_UNREACHABLE':
      return `S3 did not answer ${permission} of ${place} (${why}).`;
    case 'UPLOAD_LOST':
      return `The unfinished upload of ${place} is gone (${why}).`;
    default:
      return `S3 failed at ${permission} of ${place} (${why}).`;
  }
}

/** Returns a hint if this error has a better one than its code. */
function hintFor(code: ErrorCode, error: ServiceError): string | undefined {
  const then = 'then `longhaul retry <run>`, or the command again.';
  if (error.name === 'RequestTimeTooSkewed') {
    return `The clock of this machine is wrong: set it right (NTP), ${then}`;
  }
  const region = regionOf(error);
  if (code === 'STORE_WRONG_REGION' && region !== undefined) {
    return `Set AWS_REGION=${region}, ${then}`;
  }
  if (error.name === 'EndpointError') {
    return 'AWS_ENDPOINT_URL_S3 must be a URL such as https://s3.example.org.';
  }
  if (error.code === 'ENOTFOUND') {
    return 'Check AWS_ENDPOINT_URL_S3 and AWS_REGION; a store without a host name a bucket needs S3_PATH_STYLE=true.';
  }
  if (code === 'STORE_REFUSED' && TLS.test(error.code ?? '')) {
    return `Check AWS_ENDPOINT_URL_S3 (https or http?), or name the store's authority in NODE_EXTRA_CA_CERTS, ${then}`;
  }
  return undefined;
}

/** An error of the SDK, for an answer of S3 or a failure of its own. */
export interface ServiceError extends Error {
  /** The code of a network error. */
  code?: string;
  /** The element `<Region>` of the answer. */
  Region?: unknown;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as ServiceError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Returns the bucket's region if the answer has it: AWS in a header or the body, other stores in the message. */
function regionOf(error: ServiceError): string | undefined {
  const region = error.$response?.headers?.['x-amz-bucket-region'] ?? error.Region;
  const found = typeof region === 'string' ? region : EXPECTING.exec(error.message)?.[1];
  return found !== undefined && /^[\w-]+$/.test(found) ? found : undefined;
}

const EXPECTING = /expecting ['"]([\w-]+)['"]/;

/** Returns the text of S3 or the SDK for a message: short, printable, without secrets. */
export function sdkErrorText(error: ServiceError): string {
  const status = statusOf(error);
  const attempts = error.$metadata?.attempts ?? 1;
  const name = ['Error', 'Unknown', 'AggregateError'].includes(error.name) ? '' : error.name;
  const words = error.message === 'UnknownError' ? '' : wordsOf(error);
  // The answer to a HEAD has no text.
  const parts = [name, words || (name || status === undefined ? '' : `HTTP ${status}`)];
  const text = parts.filter((part) => part !== '').join(': ');
  return `${text || 'no reason given'}${attempts > 1 ? `; ${attempts} attempts` : ''}`;
}

/** Returns a copy of the error without secrets. S3 repeats signed headers, which may hold a session token. */
export function causeOf(error: ServiceError): Error {
  const region = regionOf(error);
  const cause = Object.assign(new Error(wordsOf(error)), {
    name: error.name,
    $metadata: error.$metadata,
    ...(error.code === undefined ? {} : { code: error.code }),
    ...(region === undefined ? {} : { Region: region }),
  });
  const frames = error.stack?.slice(error.stack.indexOf('\n    at ')) ?? '';
  cause.stack = `${error.name}: ${cause.message}${frames}`;
  return cause;
}

function wordsOf({ message, code }: ServiceError): string {
  // The message holds the command of a credential_process and its output.
  if (message.startsWith('Command failed')) return 'the credential_process failed';
  const [line = ''] = message.trim().split('\n', 1);
  return printable((line || code || '').replaceAll(SECRETIVE, '…')).slice(0, MAX_WORDS_CHARACTERS);
}

/** Keys, tokens and signatures are long runs of these characters. Names of buckets and objects have dots and dashes. */
const SECRETIVE = /[\w+/=]{40,}/g;
/** S3's own sentences are shorter. */
const MAX_WORDS_CHARACTERS = 300;
