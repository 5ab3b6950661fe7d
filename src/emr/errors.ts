import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { causeOf, sdkErrorText, statusOf, type ServiceError } from '../storage/s3/errors.ts';

/**
 * Turns an error of the SDK into one of the catalogue. Any other error comes back unchanged.
 * @param action the action's name in IAM, such as `elasticmapreduce:RunJobFlow`.
 */
export function emrError(error: unknown, action: string): unknown {
  if (error instanceof LonghaulError || !(error instanceof Error) || error.name === 'AbortError') {
    return error;
  }
  const code = codeOf(error);
  if (!code) return error;
  return new LonghaulError(code, messageOf(code, error, action), {}, { cause: causeOf(error) });
}

/** EMR says that the account sends too many requests: the client must send fewer. */
export function isThrottled(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'EMR_THROTTLED';
}

/** EMR refuses the credentials. A session may have ended before its time. */
export function isRefusedCredentials(error: unknown): boolean {
  if (!(error instanceof Error) || statusOf(error) === undefined) return false;
  return codeOf(error) === 'EMR_CREDENTIALS';
}

/**
 * Whether EMR may have carried out a request that ended with this error, because no answer came or a 5xx. The error may
 * be the SDK's or the catalogue's. Before the worker sends such a request again, it asks EMR what exists.
 */
export function isDoubtful(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = error instanceof LonghaulError ? error.code : codeOf(error);
  return code === 'EMR_UNREACHABLE' || code === 'EMR_UNAVAILABLE';
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ThrottlingException: 'EMR_THROTTLED',
  Throttling: 'EMR_THROTTLED',
  ThrottledException: 'EMR_THROTTLED',
  RequestThrottled: 'EMR_THROTTLED',
  RequestThrottledException: 'EMR_THROTTLED',
  RequestLimitExceeded: 'EMR_THROTTLED',
  TooManyRequestsException: 'EMR_THROTTLED',
  LimitExceededException: 'EMR_THROTTLED',
  AccessDeniedException: 'EMR_FORBIDDEN',
  AccessDenied: 'EMR_FORBIDDEN',
  UnauthorizedOperation: 'EMR_FORBIDDEN',
  UnrecognizedClientException: 'EMR_CREDENTIALS',
  InvalidClientTokenId: 'EMR_CREDENTIALS',
  InvalidSignatureException: 'EMR_CREDENTIALS',
  SignatureDoesNotMatch: 'EMR_CREDENTIALS',
  IncompleteSignature: 'EMR_CREDENTIALS',
  MissingAuthenticationToken: 'EMR_CREDENTIALS',
  MissingAuthenticationTokenException: 'EMR_CREDENTIALS',
  ExpiredToken: 'EMR_CREDENTIALS',
  ExpiredTokenException: 'EMR_CREDENTIALS',
  RequestExpired: 'EMR_CREDENTIALS',
  CredentialsProviderError: 'EMR_CREDENTIALS',
  TokenProviderError: 'EMR_CREDENTIALS',
  InternalServerError: 'EMR_UNAVAILABLE',
  InternalServerException: 'EMR_UNAVAILABLE',
  InternalFailure: 'EMR_UNAVAILABLE',
  ServiceUnavailable: 'EMR_UNAVAILABLE',
  ServiceUnavailableException: 'EMR_UNAVAILABLE',
  TimeoutError: 'EMR_UNREACHABLE',
  EndpointError: 'EMR_REFUSED',
};

const NETWORK =
  /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|socket hang up|aborted/;
const TLS = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS|ERR_SSL|EPROTO/;
const NO_REGION = /^Region is missing/;
/** EMR's message if 256 steps are pending or running on the cluster. */
const STEPS_FULL = /maximum (?:number )?of .{0,30}steps|256 steps/i;
const NO_CLUSTER =
  /cluster id .{0,60} is not valid|cluster .{0,60}(?:does not exist|not found)|no such cluster|job ?flow .{0,60}(?:not valid|terminated|shut)/i;

function codeOf(error: ServiceError): ErrorCode | undefined {
  const named = CODES[error.name] ?? (error.code === undefined ? undefined : CODES[error.code]);
  if (named) return named;
  const status = statusOf(error);
  if (status !== undefined) {
    if (STEPS_FULL.test(error.message)) return 'EMR_STEPS_FULL';
    if (NO_CLUSTER.test(error.message)) return 'EMR_NO_SUCH_CLUSTER';
    return codeOfStatus(status);
  }
  if (NO_REGION.test(error.message) || TLS.test(error.code ?? '')) return 'EMR_REFUSED';
  return NETWORK.test(`${error.code ?? ''} ${error.message}`) ? 'EMR_UNREACHABLE' : undefined;
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 429) return 'EMR_THROTTLED';
  if (status >= 500 && status !== 501) return 'EMR_UNAVAILABLE';
  return status === 403 ? 'EMR_FORBIDDEN' : 'EMR_REFUSED';
}

function messageOf(code: ErrorCode, error: ServiceError, action: string): string {
  const why = sdkErrorText(error);
  switch (code) {
    case 'EMR_FORBIDDEN':
      return `EMR denies ${action} (${why}).`;
    case 'EMR_CREDENTIALS':
      return error.name.endsWith('ProviderError')
        ? `There are no AWS credentials (${why}).`
        : `EMR does not accept the credentials (${why}).`;
    case 'EMR_UNREACHABLE':
      return `EMR did not answer ${action} (${why}).`;
    case 'EMR_REFUSED':
      if (NO_REGION.test(error.message)) return 'No AWS region is set: AWS_REGION.';
      return `EMR refuses ${action} (${why}).`;
    default:
      return `EMR failed at ${action} (${why}).`;
  }
}
