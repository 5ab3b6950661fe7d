import type { Clusters } from './clusters.ts';

/**
 * Where a request below `/hdfs/<cluster>/webhdfs/` is answered: that cluster's NameNode. Undefined where there is no such
 * cluster, or its HDFS is gone.
 */
export function locationOf(url: string, clusters: Clusters): string | undefined {
  const [, id, rest] = /^\/hdfs\/([\w-]+)(\/webhdfs\/.*)$/.exec(url) ?? [];
  const base = clusters.find(id)?.webHdfsUrl;
  return base === undefined || rest === undefined ? undefined : base + rest;
}
