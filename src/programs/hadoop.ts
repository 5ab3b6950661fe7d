import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locate, type Installer, type LocateOptions } from './locate.ts';
import { readPin, type Pin } from './pins.ts';
import { FETCH_TIMEOUT_MS, makeFolderWhole } from './tools-folder.ts';

const run = promisify(execFile);

/** Hadoop's jars for one purpose, all in one folder and nothing else in it. */
export interface HadoopJars {
  /** Absolute. */
  folder: string;
  /** All of them, as Java's `-cp` and Spark's `spark.driver.extraClassPath` take it: `<folder>/*`. */
  classPath: string;
  /** Of Hadoop. */
  version: string;
}

/**
 * `s3a`: what Spark lacks for `s3a:` addresses, beside the Hadoop client, Netty and HTTP client that it brings (13 MB).
 * `cluster`: everything for NameNode, DataNode and DistCp, S3A included (122 MB).
 */
export type HadoopJarSet = 's3a' | 'cluster';

/**
 * Hadoop's jars: those in HADOOP_JARS (`given`: a folder with `s3a` and `cluster` in it), or those fetched before, or
 * else fetched now by Maven.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED naming each thing tried, and the command to run.
 */
export async function locateHadoopJars(
  set: HadoopJarSet,
  { given, ...options }: LocateOptions = {},
): Promise<HadoopJars> {
  const pins = await readPins();
  const { version } = pins.hadoop;
  const title = set === 's3a' ? 'jars of Hadoop for S3' : 'jars of Hadoop';
  const wanted = {
    title,
    setting: 'HADOOP_JARS',
    code: 'PROGRAM_NOT_INSTALLED',
    hint: 'Install Maven (Debian: `apt-get install maven`), so that `mvn --version` works, and run it again.',
    fileName: set,
    onPath: false,
    folder: `hadoop-${version}`,
    size: set === 's3a' ? 'about 13 MB' : 'about 122 MB',
    installers: [mavenInstaller(pomOf(set, pins), pins.plugin)],
    problemWith: async (path: string) => await problemWith(path, mainJars(set, pins)),
  } as const;
  const folder = await locate(wanted, { ...options, given: given ? join(given, set) : undefined });
  return { folder, classPath: join(folder, '*'), version };
}

interface HadoopPins {
  hadoop: Pin;
  /** The AWS SDK's modules, in place of its bundle of 600 MB. */
  awsSdk: Pin;
  accelerator: Pin;
  /** Beside the shaded jars of Hadoop's client, DistCp needs these two as they are. */
  commandLine: Pin;
  language: Pin;
  /** NameNode and DataNode say nothing without it. */
  logging: Pin;
  plugin: Pin;
}

async function readPins(): Promise<HadoopPins> {
  return {
    hadoop: await readPin('hadoop', 'maven'),
    awsSdk: await readPin('aws-sdk-java', 'maven'),
    accelerator: await readPin('analytics-accelerator', 'maven'),
    commandLine: await readPin('commons-cli', 'maven'),
    language: await readPin('commons-lang3', 'maven'),
    logging: await readPin('slf4j-reload4j', 'maven'),
    plugin: await readPin('maven-dependency-plugin', 'maven'),
  };
}

interface Dependency {
  pin: Pin;
  artifact: string;
  /** `group:artifact`, where `*` is any. */
  without?: readonly string[];
}

/** Spark brings these, newer. Before its own on the class path they would be taken instead. */
const OF_SPARK: readonly string[] = [
  'io.netty:*',
  'org.apache.httpcomponents:*',
  'org.slf4j:*',
  'commons-logging:*',
  'commons-codec:*',
];

function dependenciesOf(set: HadoopJarSet, pins: HadoopPins): Dependency[] {
  const without = set === 's3a' ? OF_SPARK : [];
  const sdk = ['s3', 'sts', 's3-transfer-manager'].map((artifact) => ({
    pin: pins.awsSdk,
    artifact,
    without,
  }));
  const s3a: Dependency[] = [
    // Its own dependencies are the bundle, and a native TLS library that nothing needs.
    { pin: pins.hadoop, artifact: 'hadoop-aws', without: ['*:*'] },
    { pin: pins.accelerator, artifact: 'analyticsaccelerator-s3', without: ['*:*'] },
    ...sdk,
  ];
  if (set === 's3a') return s3a;
  return [
    { pin: pins.hadoop, artifact: 'hadoop-client-minicluster' },
    { pin: pins.hadoop, artifact: 'hadoop-distcp' },
    { pin: pins.commandLine, artifact: 'commons-cli' },
    { pin: pins.language, artifact: 'commons-lang3' },
    { pin: pins.logging, artifact: 'slf4j-reload4j' },
    ...s3a,
  ];
}

function pomOf(set: HadoopJarSet, pins: HadoopPins): string {
  const dependencies = dependenciesOf(set, pins).map(toXml).join('');
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    `<groupId>longhaul</groupId><artifactId>hadoop-${set}</artifactId><version>1</version><packaging>pom</packaging>` +
    `<dependencies>${dependencies}</dependencies></project>\n`
  );
}

/** Names and versions of tools/versions.json and of this file: none needs escaping. */
function toXml({ pin, artifact, without = [] }: Dependency): string {
  const exclusions = without.map((each) => {
    const [group = '*', name = '*'] = each.split(':');
    return `<exclusion><groupId>${group}</groupId><artifactId>${name}</artifactId></exclusion>`;
  });
  return (
    `<dependency><groupId>${pin.name}</groupId><artifactId>${artifact}</artifactId>` +
    `<version>${pin.version}</version><exclusions>${exclusions.join('')}</exclusions></dependency>`
  );
}

/** By Maven's own client, as it is set up on this machine. Its local repository keeps a copy, as always. */
function mavenInstaller(pom: string, plugin: Pin): Installer {
  return {
    name: 'mvn dependency:copy-dependencies',
    install: async (path, signal) => {
      const limits = { timeout: FETCH_TIMEOUT_MS, ...(signal ? { signal } : {}) };
      await makeFolderWhole(path, async (scratch) => {
        await writeFile(join(scratch, 'pom.xml'), pom);
        const goal = `${plugin.name}:maven-dependency-plugin:${plugin.version}:copy-dependencies`;
        const jars = join(scratch, 'jars');
        const args = [goal, '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
        const quietly = ['--quiet', '--batch-mode', '-Dstyle.color=never'];
        await run('mvn', ['-f', join(scratch, 'pom.xml'), ...quietly, ...args], limits);
        return jars;
      });
    },
  };
}

/** The jars that are asked for by name: they tell a set from another folder, and from an older set. */
function mainJars(set: HadoopJarSet, pins: HadoopPins): string[] {
  return dependenciesOf(set, pins).map(({ pin, artifact }) => `${artifact}-${pin.version}.jar`);
}

async function problemWith(folder: string, jars: readonly string[]): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => undefined);
  if (!names) return 'is no folder';
  const missing = jars.find((jar) => !names.includes(jar));
  return missing === undefined ? undefined : `has no ${missing} in it`;
}
