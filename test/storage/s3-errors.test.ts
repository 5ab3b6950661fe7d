import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { s3Error } from '../../src/storage/s3/errors.ts';
import { s3Settings } from '../helpers/s3.ts';

const REQUEST = { permission: 'PutObject', bucket: 'lake', key: 'raw/a.csv' };

function errorOf(name: string, fields: object = {}, message = 'Said so.'): LonghaulError {
  const error = s3Error(Object.assign(new Error(message), { name, ...fields }), REQUEST);
  assert.ok(error instanceof LonghaulError, `${name} is no error of the catalogue`);
  return error;
}

const withStatus = (httpStatusCode: number): object => ({ $metadata: { httpStatusCode } });

describe('errors of S3', () => {
  it('get the code of their name, else of their status, else of the network', () => {
    const cases: [string, object, ErrorCode][] = [
      ['AccessDenied', withStatus(403), 'STORE_FORBIDDEN'],
      ['Unknown', withStatus(403), 'STORE_FORBIDDEN'],
      ['ExpiredToken', withStatus(400), 'STORE_CREDENTIALS'],
      ['XAdminUserNotFound', withStatus(404), 'STORE_CREDENTIALS'],
      ['AuthorizationHeaderMalformed', withStatus(400), 'STORE_CREDENTIALS'],
      [
        'AuthorizationHeaderMalformed',
        { ...withStatus(400), Region: 'eu-west-1' },
        'STORE_WRONG_REGION',
      ],
      ['PermanentRedirect', withStatus(301), 'STORE_WRONG_REGION'],
      ['TemporaryRedirect', withStatus(307), 'STORE_UNAVAILABLE'],
      ['NoSuchBucket', withStatus(404), 'STORE_NO_BUCKET'],
      ['NoSuchUpload', withStatus(404), 'UPLOAD_LOST'],
      ['QuotaExceeded', withStatus(403), 'STORE_FULL'],
      ['Unknown', withStatus(507), 'STORE_FULL'],
      ['SlowDown', withStatus(503), 'STORE_UNAVAILABLE'],
      ['TooManyRequests', withStatus(429), 'STORE_UNAVAILABLE'],
      ['RequestTimeout', withStatus(400), 'STORE_UNAVAILABLE'],
      ['NotImplemented', withStatus(501), 'STORE_REFUSED'],
      ['MalformedXML', withStatus(400), 'STORE_REFUSED'],
      ['TimeoutError', { code: 'ECONNRESET' }, 'STORE_UNREACHABLE'],
      ['Error', { code: 'ECONNREFUSED' }, 'STORE_UNREACHABLE'],
      ['Error', { code: 'CERT_HAS_EXPIRED' }, 'STORE_REFUSED'],
      ['Error', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }, 'STORE_REFUSED'],
    ];
    for (const [name, fields, code] of cases) {
      assert.equal(errorOf(name, fields).code, code, `${name} ${JSON.stringify(fields)}`);
    }
  });

  it('that are none of S3 or the network come back as they were', () => {
    for (const error of [new TypeError('a bug'), new LonghaulError('DISK_FULL', 'full'), 'text']) {
      assert.equal(s3Error(error, REQUEST), error);
    }
  });

  it('say the reason in one line, without what the SDK makes up where there is none', () => {
    const bare = errorOf('Unknown', withStatus(403), 'UnknownError');
    assert.equal(bare.message, 'S3 denies s3:PutObject on s3://lake/raw/a.csv (HTTP 403).');
    const lines = errorOf('SlowDown', withStatus(503), 'Reduce your\u001b[31m rate.\nSecond line.');
    assert.match(lines.message, /\(SlowDown: Reduce your\\u001b\[31m rate\.\)\.$/);
    const refused = errorOf('AggregateError', { code: 'ECONNREFUSED' }, '');
    assert.match(refused.message, /\(ECONNREFUSED\)/);
  });

  it('hold no secret, neither in the message nor in the cause', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/]{40,200}$/);
    const names = fc.constantFrom('SignatureDoesNotMatch', 'ExpiredToken', 'AccessDenied');
    fc.assert(
      fc.property(secret, names, (token, name) => {
        const error = errorOf(
          name,
          {
            ...withStatus(403),
            'Token-0': token,
            CanonicalRequest: `PUT\nx-amz-security-token:${token}`,
            $response: { statusCode: 403, headers: { authorization: token } },
          },
          `S3 does not know ${token}.`,
        );
        assert.ok(!inspect(error, { depth: 9 }).includes(token));
      }),
    );
    const command = 'Command failed: get-keys --token hunter2\nhunter2';
    assert.ok(!inspect(errorOf('CredentialsProviderError', {}, command)).includes('hunter2'));
  });
});

describe('the client', () => {
  it('prints no warning about the version of Node', async () => {
    const warnings: string[] = [];
    const listen = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', listen);
    createS3Client(s3Settings()).destroy();
    // Node emits warnings on the next tick.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    assert.deepEqual(warnings, []);
  });
});
