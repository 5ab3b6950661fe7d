import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locate, type Installer, type LocateOptions } from './locate.ts';
import { readPin, FETCH_TIMEOUT_MS, makeWhole, type Pin } from './tools-folder.ts';

const run = promisify(execFile);

/** Hadoop's jars for one purpose, in a folder that holds no other file. */
export interface HadoopJars {
  /** Absolute. */
  folder: string;
  /** All of them, as Java's `-cp` and Spark's `spark.driver.extraClassPath` take it: `<folder>/*`. */
  classPath: string;
}

/**
 * What Spark lacks for `s3a:` addresses, beside the Hadoop client, Netty and HTTP client that it brings (13 MB): the jars
 * in HADOOP_JARS (`given`: a folder with `s3a` in it), or those fetched before, or else fetched now by Maven.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED naming each thing tried, and the command to run.
 */
export async function locateHadoopJars(options: LocateOptions = {}): Promise<HadoopJars> {
  const set = {
    name: 's3a',
    title: 'jars of Hadoop for S3',
    size: 'about 13 MB',
    dependencies: await s3aDependencies(OF_SPARK),
  };
  return await locateJarSet(set, options);
}

/** Jars that are fetched together, with what they need. */
export interface JarSet {
  /** Name of the set's folder, in HADOOP_JARS too. */
  name: string;
  title: string;
  size: string;
  dependencies: readonly Dependency[];
}

export async function locateJarSet(
  set: JarSet,
  { given, ...options }: LocateOptions,
): Promise<HadoopJars> {
  const { name, title, size, dependencies } = set;
  const { version } = await readPin('hadoop', 'maven');
  const plugin = await readPin('maven-dependency-plugin', 'maven');
  // These jars, by name, distinguish a set from another folder, and from an older set.
  const jars = dependencies.map(({ pin, artifact }) => `${artifact}-${pin.version}.jar`);
  const wanted = {
    title,
    setting: 'HADOOP_JARS',
    code: 'PROGRAM_NOT_INSTALLED',
    hint: 'Install Maven (Debian: `apt-get install maven`), so that `mvn --version` works, and run it again.',
    fileName: name,
    onPath: false,
    folder: `hadoop-${version}`,
    size,
    installer: mavenInstaller(pomOf(set), plugin),
    problemWith: async (path: string) => await problemWith(path, jars),
  } as const;
  const folder = await locate(wanted, { ...options, given: given ? join(given, name) : undefined });
  return { folder, classPath: join(folder, '*') };
}

export interface Dependency {
  pin: Pin;
  artifact: string;
  /** `group:artifact`, where `*` is any. */
  without?: readonly string[];
}

/** @param without what of the AWS SDK's own needs is there already. */
export async function s3aDependencies(without: readonly string[]): Promise<Dependency[]> {
  const awsSdk = await readPin('aws-sdk-java', 'maven');
  const accelerator = await readPin('analytics-accelerator', 'maven');
  return [
    // Its own dependencies are the SDK's bundle of 600 MB, and a native TLS library that nothing needs.
    { pin: await readPin('hadoop', 'maven'), artifact: 'hadoop-aws', without: ['*:*'] },
    { pin: accelerator, artifact: 'analyticsaccelerator-s3', without: ['*:*'] },
    ...['s3', 'sts', 's3-transfer-manager'].map((artifact) => ({ pin: awsSdk, artifact, without })),
  ];
}

/** Spark brings these, newer. Before its own on the class path they would be taken instead. */
const OF_SPARK: readonly string[] = [
  'io.netty:*',
  'org.apache.httpcomponents:*',
  'org.slf4j:*',
  'commons-logging:*',
  'commons-codec:*',
];

function pomOf({ name, dependencies }: JarSet): string {
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    `<groupId>longhaul</groupId><artifactId>hadoop-${name}</artifactId><version>1</version><packaging>pom</packaging>` +
    `<dependencies>${dependencies.map(toXml).join('')}</dependencies></project>\n`
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
      const limits = { timeout: FETCH_TIMEOUT_MS, signal };
      await makeWhole(path, async (scratch) => {
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

async function problemWith(folder: string, jars: readonly string[]): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => undefined);
  if (!names) return 'is no folder';
  const missing = jars.find((jar) => !names.includes(jar));
  return missing === undefined ? undefined : `has no ${missing} in it`;
}
