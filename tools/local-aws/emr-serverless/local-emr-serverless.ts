import { mkdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { StartJobRunRequest } from '@aws-sdk/client-emr-serverless';
import { startChild } from '../../../src/programs/child.ts';
import { writeMachineConfiguration } from '../emr/machine-files.ts';
import { makeOwnedFolder, removeAbandonedFolders } from '../emr/owned-folders.ts';
import { hangingProcess } from '../emr/run-step.ts';
import { sparkEnvironment, type SparkOptions, type SparkSite } from '../emr/site.ts';
import { sparkSubmit } from '../emr/spark-command.ts';
import { causeIn, uploadLogs } from '../emr/step-logs.ts';
import type { JobRun, JobRuntime, RunningJob } from './job-runs.ts';
import {
  startServerlessServer,
  type ServerlessServer,
  type ServerlessServerOptions,
} from './serverless-server.ts';

export interface LocalEmrServerlessOptions
  extends
    Omit<SparkOptions, 'cores'>,
    Partial<Pick<SparkOptions, 'cores'>>,
    Omit<ServerlessServerOptions, 'identity' | 'runtime'> {}

/**
 * An EMR Serverless of this machine's own, on loopback only: its job runs really run, by spark-submit and S3A. All of it
 * ends with this process, however that ends.
 */
export async function startLocalEmrServerless(
  options: LocalEmrServerlessOptions,
): Promise<ServerlessServer> {
  const { s3, cores = Math.max(1, availableParallelism() - 1) } = options;
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true });
  await removeAbandonedFolders(folder);
  const { endpoint, region, ...credentials } = s3;
  const { S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  const runtime = sparkRuntime({ ...options, folder, cores }, client);
  const server = await startServerlessServer({ ...options, identity: s3, runtime });
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    stop: async () => {
      await stop();
      client.destroy();
    },
  });
}

function sparkRuntime(options: SparkOptions, client: SparkSite['client']): JobRuntime {
  return {
    start: async (run, isHanging) => {
      const folder = await makeOwnedFolder(options.folder, `job-${run.id}`);
      const conf = await writeMachineConfiguration(folder, {
        s3: options.s3,
        hdfs: {},
        s3aJars: options.programs.s3a.classPath,
        sparkDefaults: sparkDefaultsOf(run.request),
      });
      const env = sparkEnvironment({ ...options, folder }, conf);
      const site = { ...options, folder, conf, env, client };
      const close = async (): Promise<void> => {
        await saveLogs(site, run).catch(() => undefined);
        await rm(folder, { recursive: true, force: true });
      };
      return { ...(isHanging ? hanging() : await submit(site, run)), close };
    },
  };
}

function sparkDefaultsOf({ configurationOverrides: all }: StartJobRunRequest) {
  const found = all?.applicationConfiguration?.find(
    ({ classification }) => classification === 'spark-defaults',
  );
  return found?.properties ?? {};
}

function hanging(): Omit<RunningJob, 'close'> {
  const process = hangingProcess();
  return {
    ended: process.ended.then(() => ({ isCompleted: false })),
    cancel: () => process.cancel('TERMINATE_PROCESS'),
  };
}

async function submit(site: SparkSite, run: JobRun): Promise<Omit<RunningJob, 'close'>> {
  const {
    entryPoint = '',
    entryPointArguments = [],
    sparkSubmitParameters = '',
  } = run.request.jobDriver?.sparkSubmit ?? {};
  const given = [...wordsOf(sparkSubmitParameters), entryPoint, ...entryPointArguments];
  const { words, env } = sparkSubmit(site, given);
  const { folder } = site;
  const [stdout, stderr] = [join(folder, 'stdout'), join(folder, 'stderr')];
  const child = await startChild(words, { env, folder, stdout, stderr });
  const endOf = async () => {
    const isCompleted = (await child.ended).code === 0;
    // Spark sends what Python says of an error to stdout.
    const texts = await Promise.all([stderr, stdout].map((path) => readFile(path, 'utf8')));
    return { isCompleted, message: causeIn(texts.join('\n')) };
  };
  return { ended: endOf(), cancel: () => void child.stop(CANCEL_LIMIT_MS) };
}

/** For what a JVM does on SIGTERM. */
const CANCEL_LIMIT_MS = 10_000;

/** Words as a shell has them, without its substitutions. */
export function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

async function saveLogs({ client, folder }: SparkSite, { id, request }: JobRun): Promise<void> {
  const monitoring = request.configurationOverrides?.monitoringConfiguration;
  const uri = monitoring?.s3MonitoringConfiguration?.logUri?.replace(/\/*$/, '');
  if (uri === undefined) return;
  const place = `${uri}/applications/${request.applicationId}/jobs/${id}/SPARK_DRIVER/`;
  await uploadLogs(client, folder, ['stderr', 'stdout'], place);
}
