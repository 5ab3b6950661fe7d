import type { S3Client } from '@aws-sdk/client-s3';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { HadoopJars } from '../../../src/programs/hadoop.ts';
import type { Java } from '../../../src/programs/java.ts';
import type { Spark } from '../../../src/programs/spark.ts';
import type { EmrS3 } from './machine-files.ts';

export interface EmrPrograms {
  java: Java;
  spark: Spark;
  /** For Spark. */
  s3a: HadoopJars;
  /** For HDFS and DistCp. */
  hadoop: HadoopJars;
}

export interface LocalRuntimeOptions {
  /** Each cluster has a folder in it, which goes with the cluster. */
  folder: string;
  s3: EmrS3;
  programs: EmrPrograms;
  /** PATH, for what the steps start: `python3` above all. */
  searchPath: string;
  /** What a Spark step may use. */
  cores: number;
}

/** Where everything of one cluster lies. */
export interface Site extends LocalRuntimeOptions {
  clusterId: string;
  logUri: string | undefined;
  conf: string;
  client: S3Client;
  env: NodeJS.ProcessEnv;
}

/** What tells a bootstrap action that it runs on a master, and takes what it asks of the machine. */
export function masterFiles(folder: string): { info: string; bin: string; shutDown: string } {
  return {
    info: join(folder, 'instance.json'),
    bin: join(folder, 'bin'),
    shutDown: join(folder, 'shut-down-minutes'),
  };
}

/** All that a step and a bootstrap action find in their environment; the credentials are here and nowhere else. */
export function environmentOf(options: LocalRuntimeOptions, conf: string): NodeJS.ProcessEnv {
  const { folder, s3, programs, searchPath } = options;
  const { java, spark } = programs;
  const master = masterFiles(folder);
  return {
    // Its own `sudo` first: a bootstrap action must not shut this machine down.
    PATH: [master.bin, dirname(java.path), join(spark.home, 'bin'), searchPath].join(delimiter),
    EMR_INSTANCE_INFO: master.info,
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
