import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';

/** What was asked of S3 when it failed. */
export interface S3Request {
  /** The IAM permission that it needs, without `s3:`. */
  permission: string;
  bucket: string;
  key?: string;
}

interface ServiceError extends Error {
  code?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { headers?: Record<string, string> };
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
  AuthorizationHeaderMalformed: 'STORE_WRONG_REGION',
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
  TimeoutError: 'STORE_UNREACHABLE',
};

const INSUFFICIENT_STORAGE = 507;

/** The catalogue's error for what the SDK throws; what is no such error comes back as it was. */
export function s3Error(error: unknown, request: S3Request): unknown {
  if (error instanceof LonghaulError || !(error instanceof Error) || error.name === 'AbortError') {
    return error;
  }
  const code = codeOf(error);
  if (!code) return error;
  const cause = { cause: error };
  const region = (error as ServiceError).$response?.headers?.['x-amz-bucket-region'];
  return new LonghaulError(code, messageOf(code, error, request, region), {}, cause);
}

/** Whether fresh credentials may help. */
export function isExpired(error: unknown): boolean {
  return error instanceof Error && /^(?:ExpiredToken|TokenRefreshRequired)/.test(error.name);
}

export function statusOf(error: unknown): number | undefined {
  return (error as ServiceError | undefined)?.$metadata?.httpStatusCode;
}

function codeOf(error: ServiceError): ErrorCode | undefined {
  const named = CODES[error.name] ?? (error.code === undefined ? undefined : CODES[error.code]);
  if (named) return named;
  const status = statusOf(error);
  if (status === INSUFFICIENT_STORAGE) return 'STORE_FULL';
  if (status === 429 || (status !== undefined && status >= 500 && status !== 501)) {
    return 'STORE_UNAVAILABLE';
  }
  if (status === 301 || status === 307) return 'STORE_WRONG_REGION';
  // A HEAD has no body to name its error in.
  if (status === 403) return 'STORE_FORBIDDEN';
  if (status !== undefined) return 'STORE_REFUSED';
  return NETWORK.test(`${error.code ?? ''} ${error.message}`) ? 'STORE_UNREACHABLE' : undefined;
}

const NETWORK =
  /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|socket hang up|certificate|TLS/;

function messageOf(
  code: ErrorCode,
  error: ServiceError,
  { permission, bucket, key }: S3Request,
  region: string | undefined,
): string {
  const place = `s3://${bucket}${key === undefined ? '' : `/${key}`}`;
  const said = printable(`${error.name}: ${error.message}`).slice(0, MAX_SAID_CHARACTERS);
  switch (code) {
    case 'STORE_FORBIDDEN':
      return `S3 denies s3:${permission} on ${place} (${said}).`;
    case 'STORE_NO_BUCKET':
      return `There is no bucket ${bucket} (${said}).`;
    case 'STORE_WRONG_REGION':
      return `The bucket ${bucket} is in ${region ? `the region ${region}` : 'another region'} (${said}).`;
    case 'STORE_CREDENTIALS':
      return `S3 does not accept the credentials (${said}).`;
    case 'UPLOAD_LOST':
      return `The unfinished upload of ${place} is gone (${said}).`;
    default:
      return `S3 failed at ${permission} of ${place} (${said}).`;
  }
}

/** Long enough for S3's own sentence. */
const MAX_SAID_CHARACTERS = 300;
