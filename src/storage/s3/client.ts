import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';

/**
 * Tries of one request, the first included. The SDK waits a random time, doubled from 1 s to 20 s for SlowDown and from
 * 50 ms for other errors. So a request survives about half a minute of SlowDown, or a few seconds of resets. Temporal
 * retries after that.
 */
const MAX_ATTEMPTS = 8;
/** Enough for the parts of landings, and a few small requests beside them. */
const MAX_SOCKETS = 64;

const clients = new Map<string, S3Client>();

/** Returns the process's one client for a store, so that all its requests share one pool of connections. */
export function s3ClientOf(settings: S3Settings): S3Client {
  const { pathStyle, checksums, connectTimeoutMs, stallTimeoutMs } = settings;
  const key = JSON.stringify([pathStyle, checksums, connectTimeoutMs, stallTimeoutMs]);
  const known = clients.get(key);
  if (known) return known;
  const client = createS3Client(settings);
  clients.set(key, client);
  return client;
}

/** Creates a separate client with changed settings. The SDK finds the region, the endpoint and the credentials. */
export function createS3Client(settings: S3Settings, changes: S3ClientConfig = {}): S3Client {
  const { pathStyle, checksums, connectTimeoutMs, stallTimeoutMs } = settings;
  silenceVersionWarning();
  const client = new S3Client({
    forcePathStyle: pathStyle,
    maxAttempts: MAX_ATTEMPTS,
    // Longhaul adds its own checksums to requests. The SDK adds no others, because many stores refuse unknown ones.
    requestChecksumCalculation: checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      // The limit counts idle time, so it ends a half-open connection but not a slow one.
      socketTimeout: stallTimeoutMs,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
    ...changes,
  });
  leaveBodiesUnsigned(client);
  tellFirstRefusal(client);
  return client;
}

/**
 * The SDK warns on standard error that its versions of 2027 will need Node 22. The pinned version does not need it.
 * Only this variable stops the warning. Longhaul sets it and reads nothing from the environment.
 */
export function silenceVersionWarning(): void {
  // oxlint-disable-next-line node/no-process-env
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

/**
 * The SDK does not hash a body for its signature over TLS and on loopback. There, the body's checksum is signed, and no
 * third party can change it. SHA-256 would take as long as the rest of an upload.
 */
function leaveBodiesUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as HttpRequest;
      if (request.protocol === 'https:' || isLoopback(request.hostname)) {
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return await next(args);
    },
    { step: 'build', name: 'leaveBodiesUnsigned' },
  );
}

/**
 * A store that refuses the first connection is most likely down or configured wrongly. So the request fails at once,
 * the operator sees it, and Temporal retries. A store that has answered before is most likely restarting, so the client
 * waits and retries.
 */
function tellFirstRefusal(client: S3Client): void {
  let hasAnswered = false;
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        const result = await next(args);
        hasAnswered = true;
        return result;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'ECONNREFUSED') hasAnswered = true;
        // The SDK would find the code in the error or its causes, and retry. The message shows it to the operator.
        // oxlint-disable-next-line eslint/preserve-caught-error
        if (!hasAnswered) throw new Error(message || code);
        throw error;
      }
    },
    { step: 'deserialize', priority: 'low', name: 'tellFirstRefusal' },
  );
}

interface HttpRequest {
  protocol: string;
  hostname: string;
  headers: Record<string, string>;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}
