import { EMRClient } from '@aws-sdk/client-emr';
import { SignatureV4 } from '@smithy/signature-v4';
import { randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listenOn } from '../../src/embedded/loopback.ts';
import { takeFault, type ActionFaults } from './faults.ts';

/** One of AWS's APIs that use JSON. */
export interface Api {
  /** Name of the service in signatures. */
  service: string;
  identity: Identity;
  contentType: string;
  /** Called for each request, because faults may change at any time. */
  faults: () => ActionFaults;
  /** The action that a request asks for. @throws ApiError */
  actionOf(call: Call): Action;
}

/** The identity whose requests are accepted. */
export interface Identity {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

export interface Call {
  method: string;
  path: string;
  /** Value of the header `X-Amz-Target`. */
  target: string;
}

export interface Action {
  name: string;
  /** @returns the answer, in which dates are Date. @throws ApiError */
  perform(body: unknown): object;
}

/** An error in the form of EMR's and EMR Serverless's answers. */
export class ApiError extends Error {
  override readonly name: string;
  readonly status: number;

  constructor(name: string, message: string, status = 400) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

/** The error of RunJobFlow and the other actions of 2009, and of EMR Serverless. */
export function validation(message: string): ApiError {
  return new ApiError('ValidationException', message);
}

/** @param what the missing part that the request named. */
export function notImplemented(what: string): ApiError {
  return new ApiError('NotImplemented', `This local server has no ${what}.`, 501);
}

export interface ApiServer {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Serves an API on loopback. */
export async function serveApi(api: Api): Promise<ApiServer> {
  const server = createServer((request, response) => {
    answer(request, response, api).catch(() => response.destroy());
  });
  return {
    endpoint: `http://127.0.0.1:${await listenOn(server, [])}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, api: Api): Promise<void> {
  const send = (status: number, value: object, headers = {}): void => {
    const type = { 'content-type': api.contentType, 'x-amzn-requestid': randomUUID() };
    response.writeHead(status, { ...type, ...headers }).end(JSON.stringify(value, withSeconds));
  };
  try {
    const { url: path = '/', method = 'GET', headers } = request;
    const body = await buffer(request);
    await verifySignature({ method, path, headers, body }, api);
    const action = api.actionOf({ method, path, target: String(headers['x-amz-target']) });
    const { throttle = {}, loseAnswer = {} } = api.faults();
    if (takeFault(throttle, action.name) !== undefined)
      throw new ApiError('ThrottlingException', 'Rate exceeded');
    const result = action.perform(body.length === 0 ? {} : JSON.parse(body.toString('utf8')));
    if (takeFault(loseAnswer, action.name) === undefined) send(200, result);
    else response.destroy();
  } catch (error) {
    const { name, message, status } =
      error instanceof ApiError
        ? error
        : new ApiError('InternalServerException', String(error), 500);
    send(status, { __type: name, message }, { 'x-amzn-errortype': name });
  }
}

/** Dates are seconds in AWS JSON. JSON.stringify passes the result of toJSON, so the Date is read from its owner. */
function withSeconds(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const own = this[key];
  return own instanceof Date ? own.getTime() / 1000 : value;
}

export interface SignedRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

/** Header with the body's checksum. The signer adds it itself. */
const CHECKSUM = 'x-amz-content-sha256';
/** The SDK's own SHA-256. */
const { sha256 } = new EMRClient({ region: 'us-east-1' }).config;

/**
 * Checks a request's Signature Version 4: it signs the request again as the SDK does. The check is needed because a
 * client of this server can run programs on this machine.
 * @throws ApiError as AWS answers if the signature is absent, or is made with another key or for another request.
 */
export async function verifySignature(
  request: SignedRequest,
  { identity, service }: Pick<Api, 'identity' | 'service'>,
): Promise<void> {
  const refused = (name: string, message: string): ApiError => new ApiError(name, message, 403);
  const given = String(request.headers['authorization'] ?? '');
  if (given === '')
    throw refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const [, accessKeyId, scope = '', signed = ''] =
    /Credential=([^/,]+)\/([^,]+), ?SignedHeaders=([^,]+)/.exec(given) ?? [];
  if (accessKeyId !== identity.accessKeyId) {
    const message = 'The security token included in the request is invalid.';
    throw refused('UnrecognizedClientException', message);
  }
  const wanted = `${identity.region}/${service}/aws4_request`;
  if (!scope.endsWith(`/${wanted}`))
    throw refused('InvalidSignatureException', `Credential should be scoped to ${wanted}.`);
  const again = await signAgain(request, { identity, service }, signed.split(';'));
  const isSame =
    given.length === again.length && timingSafeEqual(Buffer.from(given), Buffer.from(again));
  if (isSame) return;
  const message = 'The request signature we calculated does not match the signature you provided.';
  throw refused('InvalidSignatureException', message);
}

async function signAgain(
  { method, path, headers, body }: SignedRequest,
  { identity, service }: Pick<Api, 'identity' | 'service'>,
  signed: readonly string[],
): Promise<string> {
  const { pathname, searchParams } = new URL(path, 'http://localhost');
  const names = signed.filter((name) => name !== CHECKSUM);
  const applyChecksum = signed.includes(CHECKSUM);
  const { region } = identity;
  const signer = new SignatureV4({ credentials: identity, region, service, sha256, applyChecksum });
  const again = await signer.sign(
    {
      ...{ method, protocol: 'http:', hostname: 'localhost', path: pathname, body },
      query: Object.fromEntries(searchParams),
      headers: Object.fromEntries(names.map((name) => [name, String(headers[name] ?? '')])),
    },
    { signingDate: dateOf(headers['x-amz-date']), signableHeaders: new Set(signed) },
  );
  return again.headers['authorization'] ?? '';
}

/** `20261125T041500Z`. */
function dateOf(text: string | string[] | undefined): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
  const date = new Date(String(text).replace(parts, '$1-$2-$3T$4:$5:$6Z'));
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}
