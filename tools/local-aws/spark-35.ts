import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readPin } from '../../src/programs/pins.ts';
import { fetchPyspark } from '../../src/programs/spark.ts';
import { packageToolsDir } from '../../src/programs/tools-folder.ts';

/** The older Spark that EMR has, at its pinned version. @returns its SPARK_HOME. */
export async function fetchSpark35(onNote?: (note: string) => void): Promise<string> {
  const pin = await readPin('pyspark-3.5', 'pypi');
  const folder = join(packageToolsDir(), `pyspark-${pin.version}`);
  const home = join(folder, 'pyspark');
  if (existsSync(home)) return home;
  onNote?.('Fetching Spark 3.5 (about 320 MB)');
  return await fetchPyspark(pin, folder);
}
