import { join, resolve } from 'node:path';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { answerOf, programsOnPath, type LocateOptions } from './locate.ts';

export interface Java {
  /** Path of the program `java`. */
  path: string;
  /** The version in Java's own form: `17.0.15`. */
  version: string;
  /** JAVA_HOME; undefined if Java was found on the PATH. */
  home: string | undefined;
}

/** The Java versions with which the makers of Spark 4 and Hadoop 3.5 test. */
const JAVA_MAJORS: readonly number[] = [17, 21];
const JAVA_MAJORS_OF_SPARK_3: readonly number[] = [17, 11, 8];

/**
 * Finds the Java of JAVA_HOME (`given`), else the first one on the PATH. Longhaul never fetches Java, because the
 * operator installs it with the system.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED if there is no Java, or if its version does not fit this Spark.
 */
export async function locateJava(
  { given, searchPath = '' }: Pick<LocateOptions, 'given' | 'searchPath'>,
  { version: spark }: { version: string } = { version: '4' },
): Promise<Java> {
  const majors = spark.startsWith('3.') ? JAVA_MAJORS_OF_SPARK_3 : JAVA_MAJORS;
  const wanted = `Spark ${spark} needs Java ${majors.join(' or ')}`;
  const home = given ? resolve(given) : undefined;
  const path = home ? join(home, 'bin', 'java') : (await programsOnPath('java', searchPath))[0];
  const named = home ? `JAVA_HOME names ${printable(given ?? '')}` : 'JAVA_HOME is not set';
  if (path === undefined) {
    throw missing(`${wanted}: ${named}, and there is no \`java\` on the PATH.`, majors);
  }
  const version = await versionOf(path);
  if (version === undefined) {
    const what = home ? `${named}, where bin/java does not run` : `${path} does not run`;
    throw missing(`${wanted}: ${what}.`, majors);
  }
  if (!majors.includes(majorOf(version))) {
    const what = home ? `${named}, which is Java ${version}` : `${path} is Java ${version}`;
    throw missing(`${wanted}: ${what}.`, majors);
  }
  return { path, version, home };
}

function missing(message: string, majors: readonly number[]): LonghaulError {
  const hint =
    `Install Java ${majors[0]} (Debian: \`apt-get install openjdk-${majors[0]}-jre-headless\`), or set JAVA_HOME in ` +
    '.env to the folder of one; --engine duckdb needs none.';
  return new LonghaulError('PROGRAM_NOT_INSTALLED', message, { hint });
}

/** `java -version` prints the version on standard error. */
async function versionOf(path: string): Promise<string | undefined> {
  const answer = await answerOf(path, '-version');
  return answer && javaVersionIn(`${answer.stderr}\n${answer.stdout}`);
}

/** @param output of `java -version`. */
export function javaVersionIn(output: string): string | undefined {
  const version = /version "([^"]+)"/.exec(output)?.[1];
  return version === undefined ? undefined : printable(version);
}

/** The version of Java 8 begins with 1.8. */
export function majorOf(version: string): number {
  return Number(/^(?:1\.)?(\d+)/.exec(version)?.[1]);
}
