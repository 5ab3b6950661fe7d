import { timingSafeEqual } from 'node:crypto';
import { EMRClient } from '@aws-sdk/client-emr';
import { SignatureV4 } from '@smithy/signature-v4';
import { ApiError } from './api-error.ts';

/** Who may ask. */
export interface Identity {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

/** Who signs, for which of AWS's services. */
interface Signatory {
  identity: Identity;
  service: string;
}

export interface SignedRequest {
  method: string;
  /** As it was sent, query included. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

/** As AWS has it, before and after. */
const MAX_CLOCK_SKEW_MS = 15 * 60_000;
/** What a signature that leaves them out would not protect. */
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-target'];
/** Of the body: the signer puts it in itself. */
const CHECKSUM = 'x-amz-content-sha256';
/** The SDK's own. */
const { sha256 } = new EMRClient({ region: 'us-east-1' }).config;

/**
 * Checks a request's Signature Version 4, by signing it again as the SDK does.
 * @throws ApiError as AWS answers: none, by an unknown key, too old, or of another request.
 */
export async function verifySignature(
  request: SignedRequest,
  { identity, service }: Signatory,
  nowMs: number,
): Promise<void> {
  const given = headerOf(request, 'authorization');
  if (given === undefined)
    throw refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const [, accessKeyId, scope = '', names = ''] =
    /Credential=([^/,]+)\/([^,]+), ?SignedHeaders=([^,]+)/.exec(given) ?? [];
  if (accessKeyId !== identity.accessKeyId) {
    const message = 'The security token included in the request is invalid.';
    throw refused('UnrecognizedClientException', message);
  }
  const wanted = `${identity.region}/${service}/aws4_request`;
  if (!scope.endsWith(`/${wanted}`)) throw invalid(`Credential should be scoped to ${wanted}.`);
  const signed = names.split(';');
  const unsigned = MUST_BE_SIGNED.find(
    (name) => headerOf(request, name) !== undefined && !signed.includes(name),
  );
  if (unsigned !== undefined)
    throw invalid(`'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`);
  const sentAt = dateOf(headerOf(request, 'x-amz-date') ?? '');
  if (!(Math.abs(nowMs - sentAt.getTime()) <= MAX_CLOCK_SKEW_MS))
    throw invalid('Signature not yet current or expired.');
  if (!isSame(given, await signAgain(request, { identity, service }, signed, sentAt))) {
    throw invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
        'Access Key and signing method. Consult the service documentation for details.',
    );
  }
}

async function signAgain(
  request: SignedRequest,
  { identity: credentials, service }: Signatory,
  signed: readonly string[],
  signingDate: Date,
): Promise<string> {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const names = signed.filter((name) => name !== CHECKSUM);
  const signer = new SignatureV4({
    credentials,
    region: credentials.region,
    service,
    sha256,
    applyChecksum: signed.includes(CHECKSUM),
  });
  const again = await signer.sign(
    {
      method: request.method,
      protocol: 'http:',
      hostname: 'localhost',
      path: pathname,
      query: Object.fromEntries(
        [...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name)]),
      ),
      headers: Object.fromEntries(names.map((name) => [name, headerOf(request, name) ?? ''])),
      body: request.body,
    },
    { signingDate, signableHeaders: new Set(signed) },
  );
  return again.headers['authorization'] ?? '';
}

/** `20261125T041500Z`. */
function dateOf(text: string): Date {
  return new Date(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function refused(name: string, message: string): ApiError {
  return new ApiError(name, message, { status: 403 });
}

function invalid(message: string): ApiError {
  return refused('InvalidSignatureException', message);
}

function headerOf({ headers }: SignedRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
