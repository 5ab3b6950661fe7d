import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG4J } from './hdfs.ts';

/** Spark's settings, among the files of a machine. */
export const SPARK_DEFAULTS = 'spark-defaults.conf';

/** S3 as a step finds it. */
export interface EmrS3 {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/**
 * Writes what Spark and Hadoop read at their start, as EMR has it in /etc: `s3:` is S3A here. No credential is in it: those are in the environment of each step.
 * @returns the folder.
 */
export async function writeMachineConfiguration(
  folder: string,
  {
    s3,
    hdfs,
    s3aJars,
    sparkDefaults,
  }: {
    s3: EmrS3;
    /** Its settings; `{}` where there is none. */
    hdfs: Readonly<Record<string, string>>;
    s3aJars: string;
    sparkDefaults: Readonly<Record<string, string>>;
  },
): Promise<string> {
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
  const spark = {
    ...sparkDefaults,
    'spark.ui.enabled': 'false',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.host': '127.0.0.1',
    'spark.sql.warehouse.dir': join(folder, 'warehouse'),
    'spark.driver.extraClassPath': s3aJars,
  };
  await writeFile(join(conf, SPARK_DEFAULTS), toProperties(spark));
  return conf;
}

function s3aConfiguration({ endpoint, region }: EmrS3): Record<string, string> {
  return {
    'fs.s3.impl': 'org.apache.hadoop.fs.s3a.S3AFileSystem',
    'fs.s3n.impl': 'org.apache.hadoop.fs.s3a.S3AFileSystem',
    'fs.s3a.endpoint': endpoint,
    'fs.s3a.endpoint.region': region,
    'fs.s3a.path.style.access': 'true',
    'fs.s3a.aws.credentials.provider':
      'software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider',
    // The default one wants more of an S3 than a gateway has.
    'fs.s3a.input.stream.type': 'classic',
    // A server of this machine is there or is not: no minutes of retries.
    'fs.s3a.attempts.maximum': '3',
    'fs.s3a.retry.limit': '3',
  };
}

/** As java.util.Properties reads it. */
function toProperties(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(([key, value]) => {
    const text = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
    return `${key.replaceAll(/([\\:=\s])/g, '\\$1')} ${text}\n`;
  });
  return lines.join('');
}

/** As Hadoop reads it. */
function toXml(configuration: Readonly<Record<string, string>>): string {
  const properties = Object.entries(configuration).map(
    ([name, value]) =>
      `<property><name>${escaped(name)}</name><value>${escaped(value)}</value></property>\n`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join('')}</configuration>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
