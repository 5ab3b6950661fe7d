import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locateHadoopJars, locateJarSet, s3aDependencies } from '../../src/programs/hadoop.ts';
import { locateJava, type Java } from '../../src/programs/java.ts';
import type { LocateOptions } from '../../src/programs/locate.ts';
import { readPin, packageToolsDir } from '../../src/programs/tools-folder.ts';
import { fetchPyspark, locateSpark, type Spark } from '../../src/programs/spark.ts';
import { fetchPythonPackages } from '../python-packages.ts';

export interface EmrPrograms {
  java: Java;
  spark: Spark;
  /** Class path of the jars for Spark. */
  s3a: string;
  /** Class path of the jars for HDFS and DistCp. */
  hadoop: string;
}

/**
 * Finds all programs of the local EMR by SPARK_HOME, JAVA_HOME, HADOOP_JARS and PATH, or fetches them.
 * @param onNote receives notes on slow steps, for the user.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED with a way to install it.
 */
export async function locateEmrPrograms(onNote?: (note: string) => void): Promise<EmrPrograms> {
  const { PATH: searchPath, SPARK_HOME, JAVA_HOME, HADOOP_JARS } = process.env;
  const note = onNote ? { onNote } : {};
  return {
    java: await locateJava({ given: JAVA_HOME, searchPath }),
    spark: await locateSpark({ given: SPARK_HOME, searchPath, ...note }),
    s3a: await locateHadoopJars({ given: HADOOP_JARS, ...note }),
    hadoop: await locateClusterJars({ given: HADOOP_JARS, ...note }),
  };
}

/**
 * Finds all jars for NameNode, DataNode and DistCp, S3A included, in the folder `cluster` of HADOOP_JARS (`given`), or
 * fetches them.
 * @returns their class path.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED.
 */
export async function locateClusterJars(options: LocateOptions = {}): Promise<string> {
  const hadoop = await readPin('hadoop', 'maven');
  const set = {
    name: 'cluster',
    title: 'jars of Hadoop',
    size: 'about 122 MB',
    dependencies: [
      { pin: hadoop, artifact: 'hadoop-client-minicluster' },
      { pin: hadoop, artifact: 'hadoop-distcp' },
      // DistCp needs these two unshaded, beside the shaded jars of Hadoop's client.
      { pin: await readPin('commons-cli', 'maven'), artifact: 'commons-cli' },
      { pin: await readPin('commons-lang3', 'maven'), artifact: 'commons-lang3' },
      // Without it, NameNode and DataNode write no log.
      { pin: await readPin('slf4j-reload4j', 'maven'), artifact: 'slf4j-reload4j' },
      ...(await s3aDependencies([])),
    ],
  };
  return join(await locateJarSet(set, options), '*');
}

/** Fetches the older Spark of EMR at its pinned version. @returns its SPARK_HOME. */
export async function fetchSpark35(onNote?: (note: string) => void): Promise<string> {
  const pin = await readPin('pyspark-3.5', 'pypi');
  const folder = join(packageToolsDir(), `pyspark-${pin.version}`);
  const home = join(folder, 'pyspark');
  if (existsSync(home)) return home;
  onNote?.('Fetching Spark 3.5 (about 320 MB)');
  return await fetchPyspark(pin, folder);
}

/** Fetches Moto, an emulator of AWS in Python. @returns its PYTHONPATH. */
export async function fetchMoto(onNote?: (note: string) => void): Promise<string> {
  const requirements = fileURLToPath(new URL('moto-requirements.txt', import.meta.url));
  return await fetchPythonPackages({ name: 'moto', requirements, size: '140 MB' }, onNote);
}
