import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readPin } from '../../src/programs/pins.ts';
import { pipInstall } from '../../src/programs/pypi.ts';
import { makeFolderWhole, packageToolsDir } from '../../src/programs/tools-folder.ts';

/** The older Spark that EMR has, at its pinned version. @returns its SPARK_HOME. */
export async function fetchSpark35(onNote?: (note: string) => void): Promise<string> {
  const { name, version } = await readPin('pyspark-3.5', 'pypi');
  const home = join(packageToolsDir(), `pyspark-${version}`, 'pyspark');
  if (existsSync(home)) return home;
  onNote?.('Fetching Spark 3.5 (about 320 MB)');
  await makeFolderWhole(home, async (scratch) =>
    join(await pipInstall([`${name}==${version}`], scratch), 'pyspark'),
  );
  return home;
}
