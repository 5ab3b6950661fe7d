import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../config/settings.ts';

/**
 * Tries of one request, the first included. With the SDK's backoff (random, from 1 s doubled up to 20 s for SlowDown,
 * from 50 ms for all else) about half a minute of SlowDown, or a few seconds of resets, are sat out here, a part at a
 * time. What lasts longer is for Temporal's retries.
 */
const MAX_ATTEMPTS = 8;
/** Parts of a landing, and a few small requests beside them. */
const MAX_SOCKETS = 64;

const clients = new Map<string, S3Client>();

/** One client, and one pool of connections, for all that a process asks of one store. */
export function s3ClientOf(settings: S3Settings): S3Client {
  const { pathStyle, checksums, connectTimeoutMs, stallTimeoutMs } = settings;
  const key = JSON.stringify([pathStyle, checksums, connectTimeoutMs, stallTimeoutMs]);
  const known = clients.get(key);
  if (known) return known;
  const client = createS3Client(settings);
  clients.set(key, client);
  return client;
}

/** A client of its own, with what differs from the settings'; region, endpoint and credentials are the SDK's to find. */
export function createS3Client(settings: S3Settings, changes: S3ClientConfig = {}): S3Client {
  const { pathStyle, checksums, connectTimeoutMs, stallTimeoutMs } = settings;
  silenceVersionWarning();
  const client = new S3Client({
    forcePathStyle: pathStyle,
    maxAttempts: MAX_ATTEMPTS,
    // Ours are given with each request; others are left out, since many stores refuse what they do not know.
    requestChecksumCalculation: checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      // Idle for this long: a half-open connection is noticed, a slow one is not cut off.
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
 * The SDK writes to every command's standard error that its versions of 2027 will need Node 22; the pinned one does not.
 * The flag is the SDK's only switch for it, so it is set here, and nothing is read from the environment.
 */
export function silenceVersionWarning(): void {
  // oxlint-disable-next-line node/no-process-env
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

/**
 * A body is not hashed for its signature where its own checksum is signed and no third party is in between: over TLS, and
 * on this machine. SHA-256 would take as long as all the rest of an upload.
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
 * A store that refuses the very first connection is most likely not there, or named wrongly: the operator sees it at
 * once, and Temporal tries again. A store that has answered before is most likely restarting: the client waits and
 * tries again.
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
        // The SDK finds the code in an error and its causes, and would try again; the message holds it for the operator.
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
