import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmrPrograms } from '../programs.ts';
import { clientOf, makeSite, takeFolder, type LocalS3 } from '../spark-site.ts';
import type { EmrRuntime } from './cluster.ts';
import { startEmrServer, type EmrServer, type EmrServerOptions } from './emr-server.ts';
import { HdfsPool, type Hdfs } from './hdfs.ts';
import { machineOf } from './machine.ts';

export interface LocalEmrOptions extends Omit<EmrServerOptions, 'identity' | 'runtime'> {
  /** Folder with a folder for each cluster and each HDFS, removed when they end. It is made if it does not exist. */
  folder: string;
  /** S3 with the steps' data and logs. */
  s3: LocalS3;
  programs: EmrPrograms;
}

/**
 * An EMR on this machine, on loopback only. Its clusters have a real HDFS, and their steps really run. All of it ends
 * when this process ends in any way.
 */
export async function startLocalEmr(options: LocalEmrOptions): Promise<EmrServer> {
  const { s3, programs } = options;
  const base = await takeFolder(options.folder);
  const client = clientOf(s3);
  const pool = new HdfsPool(base, programs);
  const runtime: EmrRuntime = {
    prepare: async ({ id, request, abort }, hdfsBytes) => {
      const folder = join(base, id);
      const { LogUri: uri, Configurations: all = [] } = request;
      const sparkDefaults =
        all.find((each) => each.Classification === 'spark-defaults')?.Properties ?? {};
      let hdfs: Hdfs | undefined;
      try {
        hdfs = await pool.take(hdfsBytes, abort.signal);
        const given = { s3, hdfs: hdfs.configuration, programs, client, sparkDefaults };
        const logs = uri && `${uri.replace(/\/*$/, '/')}${id}/`;
        return await machineOf(await makeSite(folder, given), hdfs, logs);
      } catch (error) {
        await hdfs?.stop();
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
  };
  const server = await startEmrServer({ ...options, identity: s3, runtime });
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    stop: async () => {
      await stop();
      await pool.close();
      client.destroy();
    },
  });
}
