import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { lifecycleFinding } from '../../src/cli/doctor/s3.ts';
import { createS3Client } from '../../src/storage/s3/client.ts';
import { S3Prefix } from '../../src/storage/s3/prefix.ts';
import { s3Settings } from '../helpers/s3.ts';

/** The store's answer to a request for its lifecycle rules. versitygw does not know this request. */
let answer = { status: 200, body: '' };
const server = createServer((_, response) => {
  response.writeHead(answer.status, { 'content-type': 'application/xml' }).end(answer.body);
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const SETTINGS = s3Settings();

async function find(status: number, body: string) {
  answer = { status, body };
  const client = createS3Client(SETTINGS, { maxAttempts: 1 });
  const zone = new S3Prefix(SETTINGS, '', client);
  return await lifecycleFinding(zone, new AbortController().signal);
}

function rule(prefix: string, days: number | undefined, status = 'Enabled'): string {
  const abort =
    days === undefined
      ? '<Expiration><Days>9</Days></Expiration>'
      : `<AbortIncompleteMultipartUpload><DaysAfterInitiation>${days}</DaysAfterInitiation></AbortIncompleteMultipartUpload>`;
  return `<Rule><Status>${status}</Status>${prefix}${abort}</Rule>`;
}

function below(prefix: string): string {
  return `<Filter><Prefix>${prefix}</Prefix></Filter>`;
}

function configuration(...rules: string[]): string {
  return `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`;
}

for (const [name, body, status, expected] of [
  ['a rule for everything', configuration(rule(below(''), 7)), 'ok', /takehome-raw\/ after 7 days/],
  [
    'a rule without a filter',
    configuration(rule('<Prefix></Prefix>', 3)),
    'ok',
    /takehome-converted\/ after 3 days/,
  ],
  [
    'a rule a zone',
    configuration(rule(below('takehome-raw/'), 7), rule(below('takehome-'), 9)),
    'ok',
    /takehome-raw\/ after 7 days, takehome-converted\/ after 9 days/,
  ],
  [
    'a rule for one zone only',
    configuration(rule(below('takehome-raw/'), 7)),
    'problem',
    /below takehome-converted\/:/,
  ],
  [
    'a rule that is switched off',
    configuration(rule(below(''), 7, 'Disabled')),
    'problem',
    /below takehome-raw\/ and takehome-converted\//,
  ],
  ['a rule of another kind', configuration(rule(below(''), undefined)), 'problem', /no rule ends/],
] as const) {
  test(`${name} is ${status}`, async () => {
    const finding = await find(200, body);
    assert.equal(finding.status, status);
    assert.match(finding.found, expected);
  });
}

for (const [code, httpStatus, status, expected] of [
  ['NoSuchLifecycleConfiguration', 404, 'problem', /no rule ends/],
  ['AccessDenied', 403, 'unknown', /denies s3:GetLifecycleConfiguration/],
  ['NotImplemented', 501, 'unknown', /does not say \(NotImplemented\)/],
] as const) {
  test(`${code} is ${status}`, async () => {
    const finding = await find(httpStatus, `<Error><Code>${code}</Code></Error>`);
    assert.equal(finding.status, status);
    assert.match(finding.found, expected);
    if (status === 'problem') assert.match(finding.fix ?? '', /put-bucket-lifecycle-configuration/);
  });
}
