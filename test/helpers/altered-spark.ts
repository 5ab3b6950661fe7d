import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { locateSpark } from '../../src/programs/spark.ts';

/**
 * A SPARK_HOME with a spark-submit that the test writes, and the jars of the real Spark.
 * @param script returns a shell script. It gets the real SPARK_HOME.
 */
export async function alteredSpark(
  folder: string,
  script: (home: string) => string,
): Promise<string> {
  const { home } = await locateSpark({
    given: process.env['SPARK_HOME'],
    searchPath: process.env['PATH'],
  });
  const submit = join(folder, 'bin', 'spark-submit');
  await mkdir(join(folder, 'bin'), { recursive: true });
  await symlink(join(home, 'jars'), join(folder, 'jars'));
  await writeFile(submit, `#!/bin/sh\n${script(home)}`);
  await chmod(submit, 0o755);
  return folder;
}
