import type { S3Client } from '@aws-sdk/client-s3';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { HadoopJars } from '../../../src/programs/hadoop.ts';
import type { Java } from '../../../src/programs/java.ts';
import type { Spark } from '../../../src/programs/spark.ts';
import type { EmrS3 } from './machine-files.ts';

export interface SparkPrograms {
  java: Java;
  spark: Spark;
  /** For Spark. */
  s3a: HadoopJars;
}

export interface EmrPrograms extends SparkPrograms {
  /** For HDFS and DistCp. */
  hadoop: HadoopJars;
}

export interface SparkOptions {
  /** Holds a folder for each cluster or job run, which goes with it. */
  folder: string;
  s3: EmrS3;
  programs: SparkPrograms;
  /** PATH, for what is started: `python3` above all. */
  searchPath: string;
  /** What a Spark step or job may use. */
  cores: number;
}

export interface LocalRuntimeOptions extends SparkOptions {
  programs: EmrPrograms;
}

/** What starts Spark, and keeps its logs. */
export interface SparkSite extends SparkOptions {
  conf: string;
  client: S3Client;
  env: NodeJS.ProcessEnv;
}

/** Where everything of one cluster lies. */
export interface Site extends SparkSite {
  programs: EmrPrograms;
  clusterId: string;
  logUri: string | undefined;
}

/** What tells a bootstrap action that it runs on a master, and takes what it asks of the machine. */
export function masterFiles(folder: string): { info: string; bin: string; shutDown: string } {
  return {
    info: join(folder, 'instance.json'),
    bin: join(folder, 'bin'),
    shutDown: join(folder, 'shut-down-minutes'),
  };
}

/** All that a step and a bootstrap action find in their environment. */
export function environmentOf(options: LocalRuntimeOptions, conf: string): NodeJS.ProcessEnv {
  const { info, bin } = masterFiles(options.folder);
  const env = sparkEnvironment(options, conf);
  // Its own `sudo` first: a bootstrap action must not shut this machine down.
  return { ...env, PATH: [bin, env['PATH']].join(delimiter), EMR_INSTANCE_INFO: info };
}

/** For programs of Spark and Hadoop; the credentials are here and nowhere else. */
export function sparkEnvironment(
  { folder, s3, programs: { java, spark }, searchPath }: SparkOptions,
  conf: string,
): NodeJS.ProcessEnv {
  return {
    PATH: [dirname(java.path), join(spark.home, 'bin'), searchPath].join(delimiter),
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
}
