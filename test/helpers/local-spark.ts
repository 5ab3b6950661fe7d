import type { SparkSettings } from '../../src/config/settings.ts';

/** Settings of the Spark on this machine, with little memory. */
export const LOCAL_SPARK: SparkSettings = {
  master: 'local[2]',
  driverMemory: '1g',
  home: process.env['SPARK_HOME'],
  javaHome: process.env['JAVA_HOME'],
  searchPath: process.env['PATH'],
};
