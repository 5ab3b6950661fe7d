import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { locate, type Installer, type LocateOptions } from './locate.ts';
import { readPin, runFetcher, makeWhole, type Pin } from './tools-folder.ts';

/**
 * Finds the jars that Spark lacks for `s3a:` addresses (13 MB). Spark itself has the Hadoop client, Netty and an HTTP
 * client. The jars are in HADOOP_JARS (`given`: a folder with `s3a` in it), were fetched before, or Maven fetches them.
 * @returns all of them as Java's `-cp` and Spark's `spark.driver.extraClassPath` have them: `<folder>/*`.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED with each place tried, and the command to run.
 */
export async function locateHadoopJars(options: LocateOptions = {}): Promise<string> {
  const set = {
    name: 's3a',
    title: 'jars of Hadoop for S3',
    size: 'about 13 MB',
    dependencies: await s3aDependencies(OF_SPARK),
  };
  return join(await locateJarSet(set, options), '*');
}

/** Jars that Maven fetches together with their dependencies. */
export interface JarSet {
  /** Name of the set's folder, also in HADOOP_JARS. */
  name: string;
  title: string;
  size: string;
  dependencies: readonly Dependency[];
}

/** @returns the absolute path of a folder with nothing else in it. */
export async function locateJarSet(
  set: JarSet,
  { given, ...options }: LocateOptions,
): Promise<string> {
  const { name, title, size, dependencies } = set;
  const { version } = await readPin('hadoop', 'maven');
  const plugin = await readPin('maven-dependency-plugin', 'maven');
  // The names of these jars distinguish a set from any other folder, and from an older set.
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
  return await locate(wanted, { ...options, given: given ? join(given, name) : undefined });
}

export interface Dependency {
  pin: Pin;
  artifact: string;
  /** Excluded dependencies: `group:artifact`, with `*` for any. */
  without?: readonly string[];
}

/** @param without dependencies of the AWS SDK that are already there. */
export async function s3aDependencies(without: readonly string[]): Promise<Dependency[]> {
  const awsSdk = await readPin('aws-sdk-java', 'maven');
  const accelerator = await readPin('analytics-accelerator', 'maven');
  return [
    // Its own dependencies are the SDK's bundle of 600 MB and a native TLS library. Longhaul needs neither.
    { pin: await readPin('hadoop', 'maven'), artifact: 'hadoop-aws', without: ['*:*'] },
    { pin: accelerator, artifact: 'analyticsaccelerator-s3', without: ['*:*'] },
    ...['s3', 'sts', 's3-transfer-manager'].map((artifact) => ({ pin: awsSdk, artifact, without })),
  ];
}

/** Spark has newer versions of these. Fetched ones would come first on the class path and replace them. */
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

/** The names and versions come from tools/versions.json and this file, so none needs escaping. */
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

/** Installs with Maven and its settings on this machine. As usual, Maven's local repository keeps a copy. */
function mavenInstaller(pom: string, plugin: Pin): Installer {
  return {
    name: 'mvn dependency:copy-dependencies',
    install: async (path, signal) => {
      await makeWhole(path, async (scratch) => {
        await writeFile(join(scratch, 'pom.xml'), pom);
        const goal = `${plugin.name}:maven-dependency-plugin:${plugin.version}:copy-dependencies`;
        const jars = join(scratch, 'jars');
        const args = [goal, '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
        const quietly = ['--quiet', '--batch-mode', '-Dstyle.color=never'];
        await runFetcher('mvn', ['-f', join(scratch, 'pom.xml'), ...quietly, ...args], signal);
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
