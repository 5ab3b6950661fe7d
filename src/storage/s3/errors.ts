import { LonghaulError, type ErrorCode } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';

/** The request to S3 that failed. */
export interface S3Request {
  /** The IAM permission that it needs, without `s3:`. */
  permission: string;
  bucket: string;
  key?: string;
}

/** The catalogue's error for an error of the SDK; any other value is returned as it is. */
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

/** Whether fresh credentials may help. */
export function isExpired(error: unknown): boolean {
  return error instanceof Error && /^(?:ExpiredToken|TokenRefreshRequired)/.test(error.name);
}

/**
 * Whether it is about the bucket or the caller, and so never an answer about the object, whatever its status:
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
  // Such as an endpoint that is no URL: the request never left this machine.
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

/** What the SDK throws, for S3's answers and for its own troubles. */
export interface ServiceError extends Error {
  /** Of the network. */
  code?: string;
  /** `<Region>` of the answer. */
  Region?: unknown;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as ServiceError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** The bucket's region, where the answer has it: AWS puts it into a header or the body, other stores into the sentence. */
function regionOf(error: ServiceError): string | undefined {
  const region = error.$response?.headers?.['x-amz-bucket-region'] ?? error.Region;
  const found = typeof region === 'string' ? region : EXPECTING.exec(error.message)?.[1];
  return found !== undefined && /^[\w-]+$/.test(found) ? found : undefined;
}

const EXPECTING = /expecting ['"]([\w-]+)['"]/;

/** S3's or the SDK's own words, for a message: short, printable, and without secrets. */
export function sdkErrorText(error: ServiceError): string {
  const status = statusOf(error);
  const attempts = error.$metadata?.attempts ?? 1;
  const name = ['Error', 'Unknown', 'AggregateError'].includes(error.name) ? '' : error.name;
  const words = error.message === 'UnknownError' ? '' : wordsOf(error);
  // A HEAD's answer has no words.
  const parts = [name, words || (name || status === undefined ? '' : `HTTP ${status}`)];
  const text = parts.filter((part) => part !== '').join(': ');
  return `${text || 'no reason given'}${attempts > 1 ? `; ${attempts} attempts` : ''}`;
}

/** The same error without what may hold secrets: S3 echoes signed headers, a session token among them. */
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
  // A credential_process' command and what it printed.
  if (message.startsWith('Command failed')) return 'the credential_process failed';
  const [line = ''] = message.trim().split('\n', 1);
  return printable((line || code || '').replaceAll(SECRETIVE, '…')).slice(0, MAX_WORDS_CHARACTERS);
}

/** Keys, tokens and signatures are long runs of these; names of buckets and objects have dots and dashes. */
const SECRETIVE = /[\w+/=]{40,}/g;
/** Long enough for S3's own sentence. */
const MAX_WORDS_CHARACTERS = 300;
