import type { S3Client } from '@aws-sdk/client-s3';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootstrapActionConfig } from '@aws-sdk/client-emr';
import { startChild } from '../../../src/programs/child.ts';
import type { Hdfs } from './hdfs.ts';
import type { HdfsPool } from './hdfs-pool.ts';
import { writeMachineConfiguration } from './machine-files.ts';
import { makeOwnedFolder } from './owned-folders.ts';
import type { EmrRuntime, Machine, WantedMachine } from './runtime.ts';
import { saveStepLogs, startStep } from './run-step.ts';
import { environmentOf, masterFiles, type LocalRuntimeOptions, type Site } from './site.ts';
import { parseS3Address, uploadLogs } from './step-logs.ts';

/** This machine as every cluster's: HDFS, Spark and DistCp as processes of their own. */
export function localRuntime(
  options: LocalRuntimeOptions,
  client: S3Client,
  pool: HdfsPool,
): EmrRuntime {
  return {
    prepare: async (wanted) => {
      const { clusterId, hdfsBytes: capacityBytes, signal } = wanted;
      const folder = await makeOwnedFolder(options.folder, clusterId);
      let hdfs: Hdfs | undefined;
      try {
        hdfs = await pool.take({ capacityBytes, signal });
        return await machineOf({ ...options, folder }, wanted, hdfs, client);
      } catch (error) {
        await hdfs?.stop();
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
  };
}

async function machineOf(
  options: LocalRuntimeOptions,
  { clusterId, logUri, sparkDefaults }: WantedMachine,
  hdfs: Hdfs,
  client: S3Client,
): Promise<Machine> {
  const { folder, s3, programs } = options;
  const conf = await writeMachineConfiguration(folder, {
    s3,
    hdfs: hdfs.configuration,
    s3aJars: programs.s3a.classPath,
    sparkDefaults,
  });
  const env = environmentOf(options, conf);
  await writeMaster(folder);
  const site: Site = { ...options, clusterId, logUri: withSlash(logUri), conf, client, env };
  return {
    webHdfsUrl: hdfs.httpUrl,
    shutDownMinutes: async () => await shutDownMinutes(folder),
    bootstrap: async (action, index, signal) => await bootstrap(site, action, index, signal),
    start: async (step) => await startStep(site, step),
    saveLogs: async (stepId) => await saveStepLogs(site, stepId),
    hdfsUse: async () => await hdfs.use(),
    stop: async () => {
      await hdfs.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * What makes this machine a master to a bootstrap action, and keeps it from what the action does to a machine: `sudo
 * shutdown -h +5` is noted, and nothing else that `sudo` is asked for is done.
 */
async function writeMaster(folder: string): Promise<void> {
  const { info, bin, shutDown } = masterFiles(folder);
  await writeFile(info, '{ "isMaster": true }');
  await mkdir(bin);
  const sudo = `#!/bin/sh\n[ "$1 $2" = "shutdown -h" ] && printf %s "\${3#+}" > '${shutDown}'\n`;
  await writeFile(join(bin, 'sudo'), sudo, { mode: 0o700 });
}

async function shutDownMinutes(folder: string): Promise<number | undefined> {
  const text = await readFile(masterFiles(folder).shutDown, 'utf8').catch(() => '');
  return text === '' ? undefined : Number(text);
}

function withSlash(uri: string | undefined): string | undefined {
  return uri === undefined || uri.endsWith('/') ? uri : `${uri}/`;
}

/** Fetches the script and runs it as it is: its first line says by what. */
async function bootstrap(
  site: Site,
  { ScriptBootstrapAction: script }: BootstrapActionConfig,
  index: number,
  signal: AbortSignal,
): Promise<number> {
  const folder = join(site.folder, 'bootstrap-actions', String(index));
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'script');
  const stderr = join(folder, 'stderr');
  let code: number;
  try {
    await writeFile(file, await download(site.client, script?.Path ?? ''));
    await chmod(file, 0o700);
    const { env } = site;
    const words = [file, ...(script?.Args ?? [])];
    const child = await startChild(words, { env, folder, stdout: join(folder, 'stdout'), stderr });
    const kill = (): void => child.signal('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    code = (await child.ended).code ?? 1;
    signal.removeEventListener('abort', kill);
  } catch (error) {
    await writeFile(stderr, `${error instanceof Error ? error.message : String(error)}\n`);
    code = 1;
  }
  if (site.logUri !== undefined) {
    const place = `${site.logUri}${site.clusterId}/node/${NODE}/bootstrap-actions/${index}/`;
    await uploadLogs(site.client, folder, ['stderr', 'stdout'], place).catch(() => undefined);
  }
  return code;
}

/** There is but this machine. */
const NODE = 'i-00000000000000001';

async function download(client: S3Client, uri: string): Promise<Uint8Array> {
  const place = parseS3Address(uri);
  if (!place) throw new Error(`The script ${uri} does not lie in S3.`);
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  const { Body } = await client.send(
    new GetObjectCommand({ Bucket: place.bucket, Key: place.key }),
  );
  if (!Body) throw new Error(`${uri} is empty.`);
  return await Body.transformToByteArray();
}
