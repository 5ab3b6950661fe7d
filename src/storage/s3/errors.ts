import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { causeOf, regionOf, said, statusOf, type ServiceError } from './said.ts';

export { statusOf } from './said.ts';

/** What was asked of S3 when it failed. */
export interface S3Request {
  /** The IAM permission that it needs, without `s3:`. */
  permission: string;
  bucket: string;
  key?: string;
}

/** The catalogue's error for what the SDK throws; what is no such error comes back as it was. */
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

/** 412: the key exists. 409: another conditional write of it is under way. */
export function isTaken(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409;
}

export function isNoSuchUpload(error: unknown): boolean {
  return error instanceof Error && error.name === 'NoSuchUpload';
}

/** Whether fresh credentials may help. */
export function isExpired(error: unknown): boolean {
  return error instanceof Error && /^(?:ExpiredToken|TokenRefreshRequired)/.test(error.name);
}

/**
 * Whether it is about the bucket or who asks, and so never an answer about the object, whatever its status:
 * versitygw says 404 of a key id that it does not know.
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
  // The body broke off on its way.
  IncompleteBody: 'STORE_UNAVAILABLE',
  // Two writers of one key at once.
  ConditionalRequestConflict: 'STORE_UNAVAILABLE',
  OperationAborted: 'STORE_UNAVAILABLE',
  // A bucket so new that its name does not lead to it yet.
  TemporaryRedirect: 'STORE_UNAVAILABLE',
  TimeoutError: 'STORE_UNREACHABLE',
  // An endpoint that is no URL, and the like: it never left this machine.
  EndpointError: 'STORE_REFUSED',
};

const INSUFFICIENT_STORAGE = 507;
const NETWORK =
  /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|socket hang up|aborted/;
/** The store shows no certificate that this machine trusts, or does not speak TLS at all: it will not by waiting. */
const TLS = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS|ERR_SSL|EPROTO/;
const NO_REGION = /^Region is missing/;

function codeOf(error: ServiceError): ErrorCode | undefined {
  const named = CODES[error.name] ?? (error.code === undefined ? undefined : CODES[error.code]);
  if (named) return named;
  // S3 names the region that it expects; what else may be malformed comes from the credentials.
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
  // A HEAD has no body to name its error in.
  return status === 403 ? 'STORE_FORBIDDEN' : 'STORE_REFUSED';
}

function messageOf(
  code: ErrorCode,
  error: ServiceError,
  { permission, bucket, key }: S3Request,
): string {
  const place = `s3://${bucket}${key === undefined ? '' : `/${key}`}`;
  const why = said(error);
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

/** Where this case has a better one than its code. */
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
