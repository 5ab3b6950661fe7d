import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { startEmrServer, type EmrServer, type EmrServerOptions } from './emr-server.ts';
import { hdfsPool } from './hdfs-pool.ts';
import { localRuntime } from './local-runtime.ts';
import type { EmrS3 } from './machine-files.ts';
import { removeAbandonedFolders } from './owned-folders.ts';
import type { EmrPrograms } from './site.ts';

export interface LocalEmrOptions extends Omit<EmrServerOptions, 'identity' | 'runtime'> {
  /** Each cluster has a folder in it, which goes with the cluster, and each HDFS one. Made where it is not there. */
  folder: string;
  /** Where steps find their data and logs go. Its identity is the one that this EMR takes too. */
  s3: EmrS3;
  programs: EmrPrograms;
  /** PATH: where steps find `python3`. */
  searchPath: string;
  /** What one Spark step may use. Default: all but one of this machine's, at least one. */
  cores?: number;
}

export interface LocalEmr
  extends EmrServer, Pick<EmrS3, 'region' | 'accessKeyId' | 'secretAccessKey'> {
  /** Of each cluster's HDFS, for looking at it: `http://127.0.0.1:<port>/hdfs/{cluster}`. */
  webHdfsUrl: string;
}

/**
 * An EMR of this machine's own, on loopback only: its clusters have a real HDFS, and their steps really run. All of it
 * ends with this process, however that ends.
 */
export async function startLocalEmr(options: LocalEmrOptions): Promise<LocalEmr> {
  const { s3, cores = Math.max(1, availableParallelism() - 1) } = options;
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true });
  await removeAbandonedFolders(folder);
  const { accessKeyId, secretAccessKey, region, endpoint } = s3;
  const { S3Client } = await import('@aws-sdk/client-s3');
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  const { java, hadoop } = options.programs;
  const pool = hdfsPool(folder, { java: java.path, jars: hadoop.folder });
  const runtime = localRuntime({ ...options, folder, cores }, client, pool);
  const identity = { accessKeyId, secretAccessKey, region };
  const server = await startEmrServer({ ...options, identity, runtime });
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    region,
    accessKeyId,
    secretAccessKey,
    webHdfsUrl: `${server.endpoint}/hdfs/{cluster}`,
    stop: async () => {
      await stop();
      await pool.close();
      client.destroy();
    },
  });
}
