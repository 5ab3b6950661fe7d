import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { QUICK_SPARK, startTestServerless, withLocalEmr } from '../helpers/local-emr.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const SCRIPT = resolve(import.meta.dirname, '../../tools/aws-acceptance/main.js');

/** Settings with which the acceptance takes less time than on the real services. */
const QUICK = {
  EMR_REQUEST: 'emr.json',
  HEARTBEAT_TIMEOUT_SECONDS: '5',
};

let s3: TestS3;
before(async () => {
  s3 = await startS3();
});
after(async () => {
  await s3.close();
});

async function accept(args: string[], env: Record<string, string>) {
  return await withTempFolder(async (cwd) => {
    await writeFile(join(cwd, 'emr.json'), JSON.stringify({ Configurations: [QUICK_SPARK] }));
    const settings = { ...process.env, ...s3.env, LAKE: `s3://${s3.bucket}/acceptance`, ...env };
    const child = spawn(process.execPath, [SCRIPT, ...args], { cwd, env: settings });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  });
}

test('the acceptance of AWS says what it costs, and makes nothing without --yes', async () => {
  // The S3 gateway would refuse any request to EMR.
  const { code, output } = await accept([], { AWS_ENDPOINT_URL_EMR: s3.endpoint });
  assert.equal(code, 2, output);
  assert.match(output, /1 to 3 \$ in all[^]*With --yes it starts/);
});

test('the acceptance of AWS takes a lake of its own only', async () => {
  const { code, output } = await accept(['--yes'], { LAKE: 'data' });
  assert.equal(code, 2, output);
  assert.match(output, /LAKE must be s3:\/\/bucket\/prefix/);
});

test('the acceptance of AWS passes on the local EMR: a day, a killed worker, a cancelled run, EMR Serverless, nothing left', async () => {
  await withLocalEmr(s3, async (emr) => {
    const serverless = await startTestServerless(s3);
    const env = { ...QUICK, AWS_ENDPOINT_URL_EMR: emr.endpoint, ...serverless.env };
    const { code, output } = await accept(['--yes', '--serverless'], env);
    await serverless.stop();
    assert.equal(code, 0, output);
    const outcomes = [...output.matchAll(/^== ([\w-]+): .*$[^]*?^(pass|FAIL|skipped): /gm)];
    assert.deepEqual(
      outcomes.map(([, id, outcome]) => `${id} ${outcome}`),
      [
        'converts pass',
        'killed pass',
        'cancelled pass',
        'dead-man skipped',
        'serverless pass',
        'left pass',
      ],
      output,
    );
  });
});
