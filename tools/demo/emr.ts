import { join } from 'node:path';
import { startLocalEmrServerless } from '../local-aws/emr-serverless/local-emr-serverless.ts';
import { startLocalEmr } from '../local-aws/emr/local-emr.ts';
import { locateEmrPrograms } from '../local-aws/programs.ts';

export interface DemoEmr {
  /** Environment with which the CLI uses it. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

export const DEMO_ENGINES = ['emr', 'emr-serverless'] as const;

/** Starts an EMR or EMR Serverless for the demo, with real Spark, HDFS and DistCp. It needs no account. */
export async function startDemoEmr(
  engine: (typeof DEMO_ENGINES)[number],
  stateDir: string,
  s3: Record<string, string>,
): Promise<DemoEmr> {
  const options = {
    folder: join(stateDir, `demo-${engine}`),
    s3: {
      endpoint: s3['AWS_ENDPOINT_URL_S3'] ?? '',
      region: s3['AWS_REGION'] ?? '',
      accessKeyId: s3['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: s3['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
    programs: await locateEmrPrograms((note) => console.log(`  ${note}`)),
  };
  if (engine === 'emr') {
    const emr = await startLocalEmr(options);
    const where = { AWS_ENDPOINT_URL_EMR: emr.endpoint, EMR_CLUSTER_ID: '', EMR_OUTPUT: '' };
    return { env: { ENGINE: engine, ...where }, stop: async () => await emr.stop() };
  }
  const serverless = await startLocalEmrServerless(options);
  return {
    env: {
      ENGINE: engine,
      AWS_ENDPOINT_URL_EMR_SERVERLESS: serverless.endpoint,
      EMR_SERVERLESS_APPLICATION_ID: serverless.applicationId,
      EMR_SERVERLESS_ROLE_ARN: serverless.roleArn,
    },
    stop: async () => await serverless.stop(),
  };
}
