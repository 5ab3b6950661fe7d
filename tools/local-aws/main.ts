/**
 * `npm run local-emr`: starts an S3, an EMR and an EMR Serverless on this machine until Ctrl-C, to try a client without
 * an account. It prints the environment that the client needs. See docs/local-emr.md.
 */
import { parseArgs } from 'node:util';
import { join, resolve } from 'node:path';
import { startLocalEmr } from './emr/local-emr.ts';
import { startLocalEmrServerless } from './emr-serverless/local-emr-serverless.ts';
import { locateEmrPrograms } from './programs.ts';
import { startS3Server } from './s3-server.ts';
import { locateVersitygw } from './versitygw.ts';

const BUCKET = 'local-emr';

const USAGE = `npm run local-emr -- [--folder <folder>]

  --folder <folder>  where the bucket is kept, and clusters and job runs live (default: data/.longhaul/local-emr)
`;

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: 'data/.longhaul/local-emr' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  console.log(USAGE);
} else {
  await serve(resolve(values.folder));
}

async function serve(folder: string): Promise<void> {
  const onNote = (note: string): void => console.error(note);
  const programs = await locateEmrPrograms(onNote);
  const { VERSITYGW: given, PATH: searchPath } = process.env;
  const program = await locateVersitygw({ given, searchPath, onNote });
  const s3 = await startS3Server({ folder: join(folder, 's3'), program });
  await s3.createBucket(BUCKET);
  const common = { s3, programs };
  const emr = await startLocalEmr({ folder: join(folder, 'clusters'), ...common });
  const serverless = await startLocalEmrServerless({ folder: join(folder, 'job-runs'), ...common });
  const env = {
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_REGION: s3.region,
    // The AWS SDK for Python reads this variable.
    AWS_DEFAULT_REGION: s3.region,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_ENDPOINT_URL_EMR: emr.endpoint,
    AWS_ENDPOINT_URL_EMR_SERVERLESS: serverless.endpoint,
    EMR_SERVERLESS_APPLICATION_ID: serverless.applicationId,
    EMR_SERVERLESS_ROLE_ARN: serverless.roleArn,
    LAKE: `s3://${BUCKET}`,
  };
  for (const [key, value] of Object.entries(env)) console.log(`export ${key}='${value}'`);
  console.error('Ctrl-C ends it, with every cluster and job run.');
  await new Promise<void>((end) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end());
  });
  await Promise.all([emr.stop(), serverless.stop()]);
  await s3.stop();
}
