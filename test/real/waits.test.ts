import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { withLab } from '../helpers/lab.ts';
import { TestTemporal } from '../helpers/temporal.ts';

const CSV = 'id,name\n1,Ann\n2,Bob\n';

const temporal = new TestTemporal();

test('a run whose bucket does not answer says so at once, with the try and when the next one is', async () => {
  const endpoint = `http://127.0.0.1:${await closedPort()}`;
  const env = {
    LAKE: 's3://my-lake',
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'y',
    SOURCE_RETRY_MINUTES: '5',
  };
  await withLab({ routes: { '/a.csv': { body: CSV } }, env, up: false }, async (lab) => {
    const command = lab.start(['ingest', lab.origin.address('/a.csv'), '--name', 'a']);
    await command.says(/a: S3 did not answer ListBucket .*ECONNREFUSED.*, try 2/);
    await command.says(/, try \d+, next in \d+\.\ds/);
    command.process.kill('SIGINT');
    const { code, stderr } = await command.ended;
    assert.equal(code, 130);
    // The line names one refused connection instead of eight.
    assert.doesNotMatch(stderr, /\d attempts/);

    const query = await lab.run(['query', 'SELECT 1']);
    assert.equal(query.code, 6);
    assert.match(query.stderr, /STORE_UNREACHABLE: .*ECONNREFUSED/);
    assert.match(query.stderr, /→ Check AWS_ENDPOINT_URL_S3 and the network\./);
  });
});

test('a run that no worker takes up says so', async () => {
  const env = { TEMPORAL_ADDRESS: temporal.address };
  await withLab({ routes: { '/a.csv': { body: CSV } }, env, up: false }, async (lab) => {
    await lab.datasets({ a: { a: lab.origin.address('/a.csv') } });
    const command = lab.start(['ingest', 'a']);
    await command.says(/a: no worker answers for this run, for \d+\.\ds/);
    command.process.kill('SIGKILL');
    await command.ended;
  });
});

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => void server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
