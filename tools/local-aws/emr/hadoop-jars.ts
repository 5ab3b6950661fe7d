import type { LocateOptions } from '../../../src/programs/locate.ts';
import { locateJarSet, s3aDependencies, type HadoopJars } from '../../../src/programs/hadoop.ts';
import { readPin } from '../../../src/programs/pins.ts';

/**
 * Everything for NameNode, DataNode and DistCp, S3A included: the folder `cluster` of HADOOP_JARS (`given`), or fetched.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED.
 */
export async function locateClusterJars(options: LocateOptions = {}): Promise<HadoopJars> {
  const hadoop = await readPin('hadoop', 'maven');
  const commandLine = await readPin('commons-cli', 'maven');
  const language = await readPin('commons-lang3', 'maven');
  const logging = await readPin('slf4j-reload4j', 'maven');
  const set = {
    name: 'cluster',
    title: 'jars of Hadoop',
    size: 'about 122 MB',
    dependencies: [
      { pin: hadoop, artifact: 'hadoop-client-minicluster' },
      { pin: hadoop, artifact: 'hadoop-distcp' },
      // Beside the shaded jars of Hadoop's client, DistCp needs these two as they are.
      { pin: commandLine, artifact: 'commons-cli' },
      { pin: language, artifact: 'commons-lang3' },
      // NameNode and DataNode say nothing without it.
      { pin: logging, artifact: 'slf4j-reload4j' },
      ...(await s3aDependencies([])),
    ],
  };
  return await locateJarSet(set, options);
}
