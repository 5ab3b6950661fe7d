/**
 * A Java for tests, with which Spark starts in half the CPU time: it maps Spark's classes from archives (class data
 * sharing) and does not read and verify them. A small job makes the archive of each class path.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { locateHadoopJars } from '../src/programs/hadoop.ts';
import { locateJava } from '../src/programs/java.ts';
import { locateSpark } from '../src/programs/spark.ts';
import { makeWhole, packageToolsDir, runFetcher } from '../src/programs/tools-folder.ts';
import { fetchSpark35 } from './local-aws/programs.ts';

const { PATH: searchPath, JAVA_HOME, SPARK_HOME, HADOOP_JARS } = process.env;
const JOB = resolve('tools', 'class_archives.py');
const VERSIONS = resolve('tools', 'versions.json');

/** Its `java` knows a class path by the part before its last `*`. A folder may follow. */
function launcherOf(java: string): string {
  return `#!/bin/sh
for word; do [ "$last" = -cp ] && classPath=$word; last=$word; done
key=$(printf %s "\${classPath%\\**}" | cksum)
archive=\${0%/*}/\${key% *}.jsa
if [ -n "$MAKE_CLASS_ARCHIVE" ]; then set -- -XX:ArchiveClassesAtExit="$archive" "$@"
elif [ -e "$archive" ]; then
  # By default, a JVM writes to its standard output that it cannot use an archive.
  set -- -XX:SharedArchiveFile="$archive" -Xlog:disable -Xlog:all=error:stderr "$@"
fi
exec '${java}' "$@"
`;
}

/** @returns its JAVA_HOME, whether it exists or not. @throws LonghaulError PROGRAM_NOT_INSTALLED without a Java. */
async function homeFor(java: { path: string; version: string }): Promise<string> {
  const files = [await readFile(VERSIONS), await readFile(JOB)];
  const what = [...files, launcherOf(java.path), java.version].join('\n');
  const hash = createHash('sha256').update(what).digest('hex').slice(0, HASH_LENGTH);
  return join(packageToolsDir(), `java-${java.version}-${hash}`);
}

/** Hexadecimal digits. Enough to tell a few versions apart. */
const HASH_LENGTH = 16;

/** JAVA_HOME of this Java; undefined if it was not made, or if there is no Java. */
export async function findArchivedJava(): Promise<string | undefined> {
  const java = await locateJava({ given: JAVA_HOME, searchPath }).catch(() => undefined);
  const home = java && (await homeFor(java));
  return home !== undefined && existsSync(home) ? home : undefined;
}

/** Makes this Java once. @throws LonghaulError PROGRAM_NOT_INSTALLED. */
export async function makeArchivedJava(onNote: (note: string) => void): Promise<void> {
  const java = await locateJava({ given: JAVA_HOME, searchPath });
  const home = await homeFor(java);
  if (existsSync(home)) return;
  onNote('Making archives of the classes of Spark (500 MB)');
  const { home: spark } = await locateSpark({ given: SPARK_HOME, searchPath });
  const s3a = `spark.driver.extraClassPath=${await locateHadoopJars({ given: HADOOP_JARS })}`;
  await makeWhole(home, async (scratch) => {
    const made = join(scratch, 'java');
    await mkdir(join(made, 'bin'), { recursive: true });
    await writeFile(join(made, 'bin', 'java'), launcherOf(java.path));
    await chmod(join(made, 'bin', 'java'), 0o755);
    for (const [sparkHome, ...conf] of [[spark], [spark, s3a], [await fetchSpark35()]] as const) {
      const env = [`JAVA_HOME=${made}`, `SPARK_HOME=${sparkHome}`, 'MAKE_CLASS_ARCHIVE=1'];
      const more = conf.flatMap((each) => ['--conf', each]);
      const words = [join(sparkHome, 'bin', 'spark-submit'), ...more, JOB, scratch];
      await runFetcher('env', [...env, ...words], undefined);
    }
    return made;
  });
}
