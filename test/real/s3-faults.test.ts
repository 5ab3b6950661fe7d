import { GetObjectCommand, type S3ClientConfig } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { S3Settings } from '../../src/config/settings.ts';
import { hintOf, isRetryable, type ErrorCode, type LonghaulError } from '../../src/model/errors.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { readObject } from '../../src/storage/s3/objects.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { failureWith } from '../helpers/failure-with.ts';
import { startS3Proxy, type S3Proxy } from '../helpers/s3-proxy.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

let s3: TestS3;
let proxy: S3Proxy;
let zones = 0;

before(async () => {
  s3 = await startS3();
  proxy = await startS3Proxy(s3.endpoint);
});
afterEach(() => proxy.clear());
after(async () => {
  await proxy.close();
  await s3.close();
});

interface Changes extends S3ClientConfig {
  settings?: Partial<S3Settings>;
}

/** A store with its own prefix behind the proxy. By default, it tries each request once. */
function openStore({ settings, ...client }: Changes = {}): S3Store {
  zones += 1;
  const all = { ...s3.settings, ...settings };
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = s3.env;
  const defaults = {
    endpoint: proxy.endpoint,
    region: s3.env.AWS_REGION,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  };
  return new S3Store(all, `zone-${zones}/`, createS3Client(all, { ...defaults, ...client }));
}

async function failure(work: Promise<unknown>, code: ErrorCode): Promise<LonghaulError> {
  const error = await failureWith(work, code);
  assertNoSecret(error);
  return error;
}

/** Checks all causes of an error, because a log or Temporal shows them, too. */
function assertNoSecret(error: unknown): void {
  const { AWS_SECRET_ACCESS_KEY: secret } = s3.env;
  for (let each = error; each instanceof Error; each = each.cause) {
    const text = `${each.message} ${each.stack} ${JSON.stringify(each)}`;
    for (const word of [secret, SESSION_TOKEN, 'wrong-secret']) assert.ok(!text.includes(word));
  }
}

const SESSION_TOKEN = 'session-token-of-the-test';

/** Requests of a store, each with the permission that it needs. */
const REQUESTS: readonly [string, (store: S3Store) => Promise<unknown>, string][] = [
  ['GET', async (store) => await store.get('a'), 'GetObject'],
  ['HEAD', async (store) => await store.size('a'), 'GetObject'],
  ['PUT', async (store) => await store.put('a', 'x'), 'PutObject'],
  ['PUT if absent', async (store) => await store.putIfAbsent('a', 'x'), 'PutObject'],
  ['LIST', async (store) => await store.folders(''), 'ListBucket'],
  ['DELETE', async (store) => await store.delete('a'), 'DeleteObject'],
];

describe('what S3 refuses for good', () => {
  it('names the permission that is denied', async () => {
    for (const [name, request, permission] of REQUESTS) {
      const operation = OPERATION_OF[permission as keyof typeof OPERATION_OF];
      proxy.clear();
      proxy.on({ operation }, { answer: { status: 403, code: 'AccessDenied' } });
      const error = await failure(request(openStore()), 'STORE_FORBIDDEN');
      assert.match(error.message, new RegExp(`denies s3:${permission} on s3://`), name);
    }
  });

  it('names ListBucket where a HEAD is denied because of that', async () => {
    const operation = ['HeadObject', 'ListObjectsV2'] as const;
    proxy.on({ operation }, { answer: { status: 403, code: 'AccessDenied' } });
    const { message } = await failure(openStore().size('a'), 'STORE_FORBIDDEN');
    assert.match(message, /denies s3:ListBucket/);
  });

  it('says that there is no such bucket, to a HEAD too', async () => {
    for (const [, request] of REQUESTS) {
      const store = openStore({ settings: { bucket: 'no-such-bucket' } });
      const { message } = await failure(request(store), 'STORE_NO_BUCKET');
      assert.match(message, /no-such-bucket/);
    }
  });

  it('asks once whether the bucket is there, and then takes a 404 as the answer', async () => {
    const store = openStore();
    const from = proxy.requests.length;
    for (const key of ['a', 'b', 'c']) assert.equal(await store.size(key), undefined);
    const operations = proxy.requests.slice(from).map(({ operation }) => operation);
    assert.deepEqual(operations, ['HeadObject', 'ListObjectsV2', 'HeadObject', 'HeadObject']);
  });

  it('names the region of the bucket', async () => {
    for (const [name, request] of REQUESTS) {
      const error = await failure(
        request(openStore({ region: 'eu-west-1' })),
        'STORE_WRONG_REGION',
      );
      assert.match(error.message, /us-east-1/, name);
      assert.match(hintOf(error.code, error.details), /AWS_REGION=us-east-1/);
    }
  });

  it('reads the region from the header where the answer has no body', async () => {
    const headers = { 'x-amz-bucket-region': 'eu-central-1' };
    proxy.on({}, { answer: { status: 301, code: 'PermanentRedirect', headers } });
    for (const [, request] of REQUESTS) {
      const { message } = await failure(request(openStore()), 'STORE_WRONG_REGION');
      assert.match(message, /eu-central-1/);
    }
  });

  it('asks for a region where none is set', async () => {
    await withoutAws(async () => {
      const client = createS3Client(s3.settings, { endpoint: s3.endpoint });
      const store = new S3Store(s3.settings, '', client);
      const { message } = await failure(store.get('a'), 'STORE_WRONG_REGION');
      assert.match(message, /No AWS region is set/);
    });
  });

  it('says that a quota or the store is full, and does not wait for it', async () => {
    for (const answer of [
      { status: 403, code: 'QuotaExceeded' },
      { status: 507, code: 'InsufficientStorage' },
      { status: 507 },
    ]) {
      proxy.clear();
      const rule = proxy.on({ operation: 'PutObject' }, { answer });
      const { message } = await failure(openStore({ maxAttempts: 3 }).put('a', 'x'), 'STORE_FULL');
      assert.match(message, /takes no more data: PutObject of s3:/);
      assert.equal(rule.hits, 1);
    }
  });
});

const OPERATION_OF = {
  GetObject: ['GetObject', 'HeadObject'],
  PutObject: 'PutObject',
  ListBucket: 'ListObjectsV2',
  DeleteObject: 'DeleteObject',
} as const;

describe('credentials', () => {
  it('says that S3 does not know the key id, or that the secret does not fit', async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId } = s3.env;
    for (const [name, request] of REQUESTS) {
      for (const id of ['NOBODY', accessKeyId]) {
        const credentials = {
          accessKeyId: id,
          secretAccessKey: 'wrong-secret',
          sessionToken: SESSION_TOKEN,
        };
        const { message } = await failure(request(openStore({ credentials })), 'STORE_CREDENTIALS');
        assert.match(message, /S3 does not accept the credentials/, name);
      }
    }
  });

  it('says that there are none', async () => {
    await withoutAws(async () => {
      const { message } = await failure(withChain().get('a'), 'STORE_CREDENTIALS');
      assert.match(message, /There are no AWS credentials/);
    });
  });

  it('are renewed once when they expire in mid-use', async () => {
    await withCredentialProcess(async (runs) => {
      const store = withChain();
      await store.put('a', 'x');
      assert.equal(await runs(), 1);
      for (const [index, [name, request]] of REQUESTS.entries()) {
        proxy.clear();
        const expired = { status: 400, code: 'ExpiredToken' };
        // The answer to a HEAD has no body. The LIST after it shows that the credentials have expired.
        const first = name === 'HEAD' ? 2 : 1;
        proxy.on({ first }, { answer: expired });
        await request(store);
        assert.equal(await runs(), index + 2, name);
      }
    });
  });

  it('that expire and are not renewed are an error', async () => {
    await withCredentialProcess(async (runs) => {
      const answer = { status: 400, code: 'ExpiredToken', message: 'The token has expired.' };
      proxy.on({}, { answer });
      const { message } = await failure(withChain().get('a'), 'STORE_CREDENTIALS');
      assert.match(message, /does not accept the credentials \(ExpiredToken: The token/);
      assert.equal(await runs(), 2);
    });
  });

  it('whose process fails show nothing of what it printed', async () => {
    await withTempFolder(async (folder) => {
      const script = `#!/bin/sh\necho ${SESSION_TOKEN}; echo ${SESSION_TOKEN} >&2; exit 1\n`;
      await writeProfile(folder, script, async () => {
        await failure(withChain().get('a'), 'STORE_CREDENTIALS');
      });
    });
  });

  it('name the clock where it is wrong and stays so', async () => {
    proxy.on({}, { answer: { status: 403, code: 'RequestTimeTooSkewed' } });
    for (const [, request] of REQUESTS) {
      const error = await failure(request(openStore()), 'STORE_CREDENTIALS');
      assert.match(hintOf(error.code, error.details), /clock/);
    }
  });

  it('are good in spite of a clock that is wrong: the SDK learns the time from S3', async (t) => {
    const { now } = Date;
    t.mock.method(Date, 'now', () => now() + 5 * 3_600_000);
    for (const [, request] of REQUESTS) await request(openStore({ maxAttempts: 2 }));
  });
});

const TRANSIENT = [
  ['SlowDown', { answer: { status: 503, code: 'SlowDown' } }, 'STORE_UNAVAILABLE'],
  ['503', { answer: { status: 503 } }, 'STORE_UNAVAILABLE'],
  ['InternalError', { answer: { status: 500, code: 'InternalError' } }, 'STORE_UNAVAILABLE'],
  ['RequestTimeout', { answer: { status: 400, code: 'RequestTimeout' } }, 'STORE_UNAVAILABLE'],
  ['a reset', { resetAfterRequestBytes: 0 }, 'STORE_UNREACHABLE'],
  ['a reset in mid-body', { resetAfterRequestBytes: 100_000 }, 'STORE_UNREACHABLE'],
  ['a lost answer', { loseAnswer: true }, 'STORE_UNREACHABLE'],
] as const;

describe('what S3 may do better later', () => {
  const body = randomBytes(3 * 1024 * 1024);

  it('is tried again in place', async () => {
    for (const [name, fault] of TRANSIENT) {
      proxy.clear();
      const rule = proxy.on({ operation: 'PutObject', first: 1 }, fault);
      const store = openStore({ maxAttempts: 3 });
      const part = body.subarray(0, 200_000);
      assert.equal(await store.putIfAbsent('a', part), 'created', name);
      assert.equal(rule.hits, 1, name);
      assert.ok((await store.get('a'))?.equals(part), name);
      // Above 2 MiB, the SDK asks S3 before it sends the body.
      proxy.clear();
      proxy.on({ operation: 'PutObject', first: 1 }, fault);
      await store.put('b', body);
      assert.ok((await store.get('b'))?.equals(body), name);
    }
  });

  it('is a retryable error when it lasts', async () => {
    for (const [name, fault, code] of TRANSIENT) {
      proxy.clear();
      proxy.on({ operation: 'PutObject' }, fault);
      await failure(openStore().put('a', body), code);
      assert.ok(isRetryable(code), name);
    }
  });

  it('counts the attempts that were in vain', async () => {
    const rule = proxy.on({}, { answer: { status: 500, code: 'InternalError' } });
    const store = openStore({ maxAttempts: 3 });
    const { message } = await failure(store.get('a'), 'STORE_UNAVAILABLE');
    assert.equal(rule.hits, 3);
    assert.match(message, /InternalError.*; 3 attempts/);
  });

  it('reads on where answers break off in mid-body', async () => {
    const store = openStore();
    await store.put('a', body);
    const broken = proxy.on({ operation: 'GetObject', first: 2 }, { resetAfterAnswerBytes: 1000 });
    assert.ok((await store.get('a'))?.equals(body));
    assert.equal(broken.hits, 2);
    proxy.clear();
    proxy.on({ operation: 'GetObject', first: 1 }, { resetAfterAnswerBytes: 1000 });
    proxy.on({ operation: 'GetObject' }, { resetAfterRequestBytes: 0 });
    await failure(store.get('a'), 'STORE_UNREACHABLE');
  });

  it('is a server that is not there', async () => {
    const closed = await startS3Proxy(s3.endpoint);
    await closed.close();
    const store = openStore({ endpoint: closed.endpoint, maxAttempts: 2 });
    const { message } = await failure(store.put('a', 'x'), 'STORE_UNREACHABLE');
    assert.match(message, /ECONNREFUSED/);
  });
});

describe('a connection that has gone silent is noticed', () => {
  const quick = { settings: { stallTimeoutMs: 300 } };
  const body = randomBytes(16 * 1024 * 1024);

  it('while sending, before and in the body', async () => {
    for (const bytes of [0, 1, 1_000_000]) {
      proxy.clear();
      proxy.on({ operation: 'PutObject' }, { stallAfterRequestBytes: bytes });
      for (const size of [1000, body.length].filter((each) => each >= bytes)) {
        await failure(openStore(quick).put('a', body.subarray(0, size)), 'STORE_UNREACHABLE');
      }
    }
  });

  it('while waiting for an answer, before and in the body', async () => {
    const store = openStore(quick);
    // On a machine with much other work, a long body would take longer than the limit.
    await store.put('a', body.subarray(0, 100_000));
    for (const fault of [{ stallAfterRequestBytes: 0 }, { stallAfterAnswerBytes: 1000 }]) {
      proxy.clear();
      const first = proxy.on({ operation: 'GetObject', first: 1 }, fault);
      proxy.on({ operation: 'GetObject' }, { stallAfterRequestBytes: 0 });
      await failure(store.get('a'), 'STORE_UNREACHABLE');
      assert.equal(first.hits, 1);
    }
  });

  it('and an abort ends it with its own reason', async () => {
    const store = openStore();
    const controller = new AbortController();
    const reason = new Error('asked to stop');
    const abort = (): void => void setImmediate(() => controller.abort(reason));
    proxy.on({ operation: 'GetObject' }, { before: abort, stallAfterRequestBytes: 0 });
    const command = new GetObjectCommand({ Bucket: s3.bucket, Key: 'a' });
    const { signal } = controller;
    await assert.rejects(store.s3.send(command, 'GetObject', { signal }), reason);
    await assert.rejects(readObject(store.s3, 'a', { signal }), reason);
  });
});

describe('an endpoint that is none', () => {
  it('is refused where its certificate is not to be trusted, and not tried again', async () => {
    let connections = 0;
    const server = createServer(selfSigned());
    server.on('connection', () => (connections += 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const endpoint = `https://localhost:${(server.address() as AddressInfo).port}`;
      const error = await failure(
        openStore({ endpoint, maxAttempts: 3 }).get('a'),
        'STORE_REFUSED',
      );
      assert.match(error.message, /self.signed certificate/);
      assert.match(hintOf(error.code, error.details), /NODE_EXTRA_CA_CERTS/);
      assert.equal(connections, 1);
    } finally {
      server.close();
    }
  });

  it('is refused where it does not speak TLS, or is no URL', async () => {
    for (const endpoint of [s3.endpoint.replace('http:', 'https:'), 'localhost:9000']) {
      const error = await failure(openStore({ endpoint }).get('a'), 'STORE_REFUSED');
      assert.match(hintOf(error.code, error.details), /AWS_ENDPOINT_URL_S3/);
    }
  });
});

/** A store that finds its credentials as a process does. The SDK repeats no request. */
function withChain(): S3Store {
  zones += 1;
  const { settings } = s3;
  const client = createS3Client(settings, {
    endpoint: proxy.endpoint,
    region: s3.env.AWS_REGION,
    maxAttempts: 1,
  });
  return new S3Store(settings, `zone-${zones}/`, client);
}

/** Runs `body` without any AWS settings of this machine. */
async function withoutAws(
  body: () => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  const saved = { ...process.env };
  for (const key of Object.keys(process.env)) if (key.startsWith('AWS_')) delete process.env[key];
  Object.assign(process.env, {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    ...env,
  });
  try {
    await body();
  } finally {
    process.env = saved;
  }
}

/** Runs `body` with a profile whose program prints the right key each time and counts its runs. */
async function withCredentialProcess(
  body: (runs: () => Promise<number>) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const log = join(folder, 'runs');
    const { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey } = s3.env;
    const key = { Version: 1, AccessKeyId, SecretAccessKey };
    const script = `#!/bin/sh\necho >>'${log}'\necho '${JSON.stringify(key)}'\n`;
    const runs = async (): Promise<number> => (await readFile(log, 'utf8')).length;
    await writeProfile(folder, script, async () => await body(runs));
  });
}

async function writeProfile(
  folder: string,
  script: string,
  body: () => Promise<void>,
): Promise<void> {
  const program = join(folder, 'credentials.sh');
  await writeFile(program, script);
  await chmod(program, 0o755);
  const config = join(folder, 'config');
  await writeFile(config, `[profile test]\ncredential_process = ${program}\n`);
  await withoutAws(body, { AWS_CONFIG_FILE: config, AWS_PROFILE: 'test' });
}
