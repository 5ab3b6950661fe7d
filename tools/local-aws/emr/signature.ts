import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { ApiError } from './api-error.ts';

/** Who may ask. */
export interface Identity {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

export interface SignedRequest {
  method: string;
  /** As it was sent, query included. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

const SERVICE = 'elasticmapreduce';
const ALGORITHM = 'AWS4-HMAC-SHA256';
/** As AWS has it, before and after. */
const MAX_CLOCK_SKEW_MS = 15 * 60_000;
/** What a signature that leaves them out would not protect. */
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-target'];

/**
 * Checks a request's Signature Version 4.
 * @throws ApiError as AWS answers: none, of somebody else, too old, or of another request.
 */
export function verifySignature(request: SignedRequest, identity: Identity, nowMs: number): void {
  const header = headerOf(request, 'authorization');
  if (header === undefined)
    throw refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const { accessKeyId, scope, signedHeaders, signature } = parse(header);
  if (accessKeyId !== identity.accessKeyId) {
    throw refused(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  }
  const date = headerOf(request, 'x-amz-date') ?? '';
  checkScope(scope, date, identity, nowMs);
  const unsigned = MUST_BE_SIGNED.find((name) => !signedHeaders.includes(name));
  if (unsigned !== undefined) {
    throw refused(
      'InvalidSignatureException',
      `'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`,
    );
  }
  const canonical = canonicalRequest(request, signedHeaders);
  const toSign = [ALGORITHM, date, scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce(
    (secret: string | Buffer, part) => hmac(secret, part),
    `AWS4${identity.secretAccessKey}`,
  );
  if (!isSame(hmac(key, toSign).toString('hex'), signature)) {
    const message =
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
      'Access Key and signing method. Consult the service documentation for details.';
    throw refused('InvalidSignatureException', message);
  }
}

function refused(name: string, message: string): ApiError {
  return new ApiError(name, message, { status: 403 });
}

interface Authorization {
  accessKeyId: string;
  /** Date, region, service, `aws4_request`. */
  scope: string[];
  signedHeaders: string[];
  signature: string;
}

function parse(header: string): Authorization {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;
  const [, accessKeyId = '', scope = '', headers = '', signature = ''] = pattern.exec(header) ?? [];
  if (accessKeyId === '') {
    throw refused(
      'IncompleteSignatureException',
      'The Authorization header is not of AWS4-HMAC-SHA256.',
    );
  }
  return { accessKeyId, scope: scope.split('/'), signedHeaders: headers.split(';'), signature };
}

function checkScope(
  scope: readonly string[],
  date: string,
  { region }: Identity,
  nowMs: number,
): void {
  const wanted = [date.slice(0, DAY_LENGTH), region, SERVICE, 'aws4_request'];
  if (scope.join('/') !== wanted.join('/')) {
    throw refused(
      'InvalidSignatureException',
      `Credential should be scoped to ${wanted.slice(1).join('/')}.`,
    );
  }
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const sentMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(Math.abs(nowMs - sentMs) <= MAX_CLOCK_SKEW_MS)) {
    throw refused('InvalidSignatureException', `Signature not yet current or expired: ${date}.`);
  }
}

/** `20261125` of `20261125T041500Z`. */
const DAY_LENGTH = 8;

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const [path = '/', query = ''] = request.url.split('?', 2);
  const headers = signedHeaders.map((name) => {
    const value = (headerOf(request, name) ?? '').trim().replaceAll(/\s+/g, ' ');
    return `${name}:${value}\n`;
  });
  const parts = query.split('&').toSorted().join('&');
  return [
    request.method,
    path,
    parts,
    headers.join(''),
    signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n');
}

function headerOf({ headers }: SignedRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** Both are 64 hexadecimal digits. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
