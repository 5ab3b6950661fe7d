import { join } from 'node:path';
import { locateEmrPrograms, startLocalEmr } from '../local-aws/emr/index.ts';

export interface DemoEmr {
  /** What makes the CLI use it. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** An EMR of the demo's own, beside its S3: real HDFS, Spark and DistCp, and no account. */
export async function startDemoEmr(stateDir: string, s3: Record<string, string>): Promise<DemoEmr> {
  const searchPath = process.env['PATH'] ?? '';
  const onNote = (note: string): void => console.log(`  ${note}`);
  const emr = await startLocalEmr({
    folder: join(stateDir, 'demo-emr'),
    searchPath,
    s3: {
      endpoint: s3['AWS_ENDPOINT_URL_S3'] ?? '',
      region: s3['AWS_REGION'] ?? '',
      accessKeyId: s3['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: s3['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
    programs: await locateEmrPrograms({ searchPath, onNote }),
  });
  return {
    env: {
      ENGINE: 'emr',
      AWS_ENDPOINT_URL_EMR: emr.endpoint,
      EMR_CLUSTER_ID: '',
      EMR_OUTPUT: '',
    },
    stop: async () => await emr.stop(),
  };
}
