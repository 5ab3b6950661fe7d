import { locateHadoopJars } from '../../../src/programs/hadoop.ts';
import { locateJava } from '../../../src/programs/java.ts';
import { locateSpark } from '../../../src/programs/spark.ts';
import { locateClusterJars } from './hadoop-jars.ts';
import type { EmrPrograms } from './site.ts';

export interface EmrProgramOptions {
  /** PATH. */
  searchPath: string;
  /** SPARK_HOME. */
  sparkHome?: string | undefined;
  /** JAVA_HOME. */
  javaHome?: string | undefined;
  /** HADOOP_JARS. */
  hadoopJars?: string | undefined;
  /** What takes time, for people. */
  onNote?: (note: string) => void;
}

/**
 * Everything that the local EMR runs, found or fetched.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED with what to do.
 */
export async function locateEmrPrograms(options: EmrProgramOptions): Promise<EmrPrograms> {
  const { searchPath, sparkHome, javaHome, hadoopJars } = options;
  const note = options.onNote ? { onNote: options.onNote } : {};
  const java = await locateJava({ given: javaHome, searchPath });
  const spark = await locateSpark({ given: sparkHome, searchPath, ...note });
  const s3a = await locateHadoopJars({ given: hadoopJars, ...note });
  const hadoop = await locateClusterJars({ given: hadoopJars, ...note });
  return { java, spark, s3a, hadoop };
}
