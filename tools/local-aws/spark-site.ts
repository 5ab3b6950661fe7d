import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { takeLock } from '../../src/embedded/state-files.ts';
import type { Identity } from './aws-api.ts';
import type { EmrPrograms } from './programs.ts';

/** The S3 of steps and job runs. EMR accepts the same identity. */
export interface LocalS3 extends Identity {
  endpoint: string;
}

/** The place where the programs of one cluster or job run work. */
export interface Site {
  folder: string;
  /** Folder with the configuration that Spark and Hadoop read at their start. EMR has it in /etc. */
  conf: string;
  /** Environment of the programs. Only it has the credentials. */
  env: NodeJS.ProcessEnv;
  programs: EmrPrograms;
  client: S3Client;
  sparkDefaults: Record<string, string>;
}

export type SiteOptions = Pick<Site, 'programs' | 'client' | 'sparkDefaults'> & {
  s3: LocalS3;
  /** Hadoop's properties of HDFS, `{}` if there is none. */
  hdfs: Readonly<Record<string, string>>;
};

export async function makeSite(
  folder: string,
  { s3, hdfs, programs, client, sparkDefaults }: SiteOptions,
): Promise<Site> {
  const conf = join(folder, 'conf');
  await mkdir(conf, { recursive: true });
  const core = {
    'fs.defaultFS': hdfs['fs.defaultFS'] ?? 'file:///',
    ...s3aConfiguration(s3),
    'hadoop.tmp.dir': join(folder, 'tmp'),
  };
  await writeFile(join(conf, 'core-site.xml'), toXml(core));
  await writeFile(join(conf, 'hdfs-site.xml'), toXml(hdfs));
  await writeFile(join(conf, 'log4j.properties'), LOG4J);
  const { java, spark } = programs;
  const env = {
    PATH: [dirname(java.path), join(spark.home, 'bin'), process.env['PATH']].join(delimiter),
    HOME: homedir(),
    LC_ALL: 'C.UTF-8',
    JAVA_HOME: java.home,
    SPARK_HOME: spark.home,
    SPARK_LOCAL_DIRS: join(folder, 'tmp'),
    SPARK_LOCAL_IP: '127.0.0.1',
    PYSPARK_PYTHON: 'python3',
    HADOOP_CONF_DIR: conf,
    HADOOP_USER_NAME: 'hadoop',
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_REGION: s3.region,
  };
  return { folder, conf, env, programs, client, sparkDefaults };
}

/** S3A serves addresses with `s3:` here. */
function s3aConfiguration({ endpoint, region }: LocalS3): Record<string, string> {
  return {
    'fs.s3.impl': 'org.apache.hadoop.fs.s3a.S3AFileSystem',
    'fs.s3a.endpoint': endpoint,
    'fs.s3a.endpoint.region': region,
    'fs.s3a.path.style.access': 'true',
    'fs.s3a.aws.credentials.provider':
      'software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider',
    // The default type needs functions of S3 that a gateway does not have.
    'fs.s3a.input.stream.type': 'classic',
    // A server on this machine runs or does not run, so minutes of retries are no use.
    'fs.s3a.attempts.maximum': '3',
    'fs.s3a.retry.limit': '3',
  };
}

/** The XML form that Hadoop reads. */
function toXml(configuration: Readonly<Record<string, string>>): string {
  const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const properties = Object.entries(configuration).map(
    ([name, value]) =>
      `<property><name>${name}</name><value>${escaped(value)}</value></property>\n`,
  );
  return `<configuration>\n${properties.join('')}</configuration>\n`;
}

/** Hadoop's programs log to standard error. */
export const LOG4J = `log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n
`;

/** Words of a `spark-submit` on this machine. Settings in `given` replace the cluster's. */
export function sparkSubmit(site: Site, given: readonly string[]): string[] {
  const settings = {
    ...site.sparkDefaults,
    'spark.ui.enabled': 'false',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.sql.warehouse.dir': join(site.folder, 'warehouse'),
    'spark.driver.extraClassPath': site.programs.s3a,
  };
  const confs = Object.entries(settings).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
  const cores = Math.max(1, availableParallelism() - 1);
  return [site.programs.spark.submit, '--master', `local[${cores}]`, ...confs, ...given];
}

/** Uploads a folder's logs, each gzipped, below `uri`. Absent files and refused uploads are ignored. */
export async function uploadLogs(
  client: S3Client,
  folder: string,
  names: readonly string[],
  uri: string,
): Promise<void> {
  for (const name of names) {
    const text = await readFile(join(folder, name)).catch(() => undefined);
    if (!text) continue;
    const put = { ...s3Place(`${uri}${name}.gz`), Body: await promisify(gzip)(text) };
    await client.send(new PutObjectCommand(put)).catch(() => undefined);
  }
}

/** @throws TypeError if the text is not an address. */
export function s3Place(uri: string): { Bucket: string; Key: string } {
  const { host, pathname } = new URL(uri);
  return { Bucket: host, Key: decodeURI(pathname.slice(1)) };
}

/** The root cause in a program's standard error, or else its last exception. Undefined if there is neither. */
export function causeIn(stderr: string): string | undefined {
  const exception = /^(?:Exception in thread .*|[\w.]+(?:Exception|Error)\b.*)$/;
  const lines = stderr.split('\n');
  const cause =
    lines.findLast((line) => line.startsWith('Caused by: ')) ??
    lines.findLast((line) => exception.test(line));
  return cause?.slice(0, MAX_CAUSE_LENGTH);
}

/** Enough for a few lines. */
const MAX_CAUSE_LENGTH = 1000;

/** Locks a folder for one server until this process ends, and removes the files that a killed server left there. */
export async function takeFolder(path: string): Promise<string> {
  const folder = resolve(path);
  await mkdir(folder, { recursive: true });
  if (takeLock(join(folder, 'server.lock')) === undefined)
    throw new Error(`Another server uses ${folder}.`);
  // Folders of clusters, HDFSs and job runs.
  for (const name of (await readdir(folder)).filter((each) => /^(?:j|hdfs|job)-\w+$/.test(each)))
    await rm(join(folder, name), { recursive: true, force: true });
  return folder;
}

/** Makes a client that inspects a local S3 or uploads logs to it. */
export function clientOf({ endpoint, region, ...credentials }: LocalS3): S3Client {
  return new S3Client({ endpoint, region, forcePathStyle: true, credentials });
}
