/** An EMR of this machine's own: its API, its clusters' HDFS, and steps that really run. */
export { startLocalEmr, type LocalEmr, type LocalEmrOptions } from './local-emr.ts';
export { locateEmrPrograms } from './programs.ts';
