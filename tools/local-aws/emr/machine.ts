import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { BootstrapActionConfig } from '@aws-sdk/client-emr';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startChild, type Child } from '../../../src/programs/child.ts';
import { causeIn, s3Place, sparkSubmit, uploadLogs, type Site } from '../spark-site.ts';
import { MASTER } from './cluster-life.ts';
import type { Machine, ProgramEnd, RunningProgram, Step, StepFault } from './cluster.ts';
import type { Hdfs } from './hdfs.ts';

const LOGS = ['stderr', 'stdout'] as const;

/**
 * This machine as all nodes of one cluster: HDFS, Spark and DistCp as processes of their own.
 * @param logs where the cluster's logs go, `s3://…/` or undefined.
 */
export async function machineOf(
  plain: Site,
  hdfs: Hdfs,
  logs: string | undefined,
): Promise<Machine> {
  const { folder, client } = plain;
  const shutDown = join(folder, 'shut-down-minutes');
  const site = await asMaster(plain, shutDown);
  const save = async (path: string, place: string): Promise<void> => {
    if (logs !== undefined) await uploadLogs(client, join(folder, path), LOGS, `${logs}${place}/`);
  };
  return {
    webHdfsUrl: hdfs.httpUrl,
    shutDownMinutes: async () => {
      const text = await readFile(shutDown, 'utf8').catch(() => '');
      return text === '' ? undefined : Number(text);
    },
    bootstrap: async (action, index, signal) => {
      const path = `bootstrap-actions/${index}`;
      const code = await bootstrap(site, action, join(folder, path), signal);
      await save(path, `node/${MASTER}/${path}`);
      return code;
    },
    start: async (step, fault) => await startStep(site, step, fault),
    saveLogs: async (id) => await save(`steps/${id}`, `steps/${id}`),
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
async function asMaster(site: Site, shutDown: string): Promise<Site> {
  const [info, bin] = [join(site.folder, 'instance.json'), join(site.folder, 'bin')];
  await writeFile(info, '{ "isMaster": true }');
  await mkdir(bin);
  const sudo = `#!/bin/sh\n[ "$1 $2" = "shutdown -h" ] && printf %s "\${3#+}" > '${shutDown}'\n`;
  await writeFile(join(bin, 'sudo'), sudo, { mode: 0o700 });
  const PATH = [bin, site.env['PATH']].join(delimiter);
  return { ...site, env: { ...site.env, PATH, EMR_INSTANCE_INFO: info } };
}

/** Fetches the script and runs it as it is: its first line says by what. @returns the exit code. */
async function bootstrap(
  site: Site,
  { ScriptBootstrapAction: script }: BootstrapActionConfig,
  folder: string,
  signal: AbortSignal,
): Promise<number> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'script');
  try {
    const { Body } = await site.client.send(new GetObjectCommand(s3Place(script?.Path ?? '')));
    await writeFile(file, (await Body?.transformToByteArray()) ?? '', { mode: 0o700 });
    const child = await startIn(folder, [file, ...(script?.Args ?? [])], site);
    const kill = (): void => child.signal('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    return (await child.ended).code ?? 1;
  } catch (error) {
    await appendFile(join(folder, 'stderr'), String(error));
    return 1;
  }
}

async function startIn(folder: string, words: readonly string[], { env }: Site): Promise<Child> {
  const [stdout, stderr] = [join(folder, 'stdout'), join(folder, 'stderr')];
  return await startChild(words, { env, folder, stdout, stderr });
}

/** Starts a step's program; what cannot be started is a failed step. */
async function startStep(
  site: Site,
  { id, config }: Step,
  fault: StepFault | undefined,
): Promise<RunningProgram> {
  if (fault === 'hang') return hangingProgram();
  const folder = join(site.folder, 'steps', id);
  await mkdir(folder, { recursive: true });
  const stderr = join(folder, 'stderr');
  try {
    const child = await startIn(folder, await wordsOf(site, folder, config.HadoopJarStep), site);
    const code = fault === 'copyFailure' ? killedInTheMiddle(child, stderr) : codeOf(child);
    return { ended: endOf(code, [stderr]), cancel: () => child.signal('SIGKILL') };
  } catch (error) {
    await appendFile(stderr, `Exception in thread "main" ${(error as Error).message}\n`);
    return { ended: endOf(Promise.resolve(1), [stderr]), cancel: () => undefined };
  }
}

/** Fault: a step or a job run that does nothing, for ever. */
export function hangingProgram(): RunningProgram {
  let cancel = (): void => undefined;
  const ended = new Promise<ProgramEnd>((resolve) => {
    cancel = () => resolve({ isCompleted: false });
  });
  return { ended, cancel: () => cancel() };
}

async function codeOf(child: Child): Promise<number | null> {
  return (await child.ended).code;
}

/** Fault: a DistCp that copies its files in turn, and of which the second one begins. */
async function killedInTheMiddle(child: Child, stderr: string): Promise<null> {
  while (!child.hasEnded()) {
    const log = await readFile(stderr, 'utf8');
    if (log.split(/CopyMapper: Copying /).length > 2) child.signal('SIGKILL');
    await sleep(LOOK_MS);
  }
  await child.ended;
  return null;
}

const LOOK_MS = 10;

/** @param logs that name the cause of a failure. */
export async function endOf(
  code: Promise<number | null>,
  logs: readonly string[],
): Promise<ProgramEnd> {
  if ((await code) === 0) return { isCompleted: true };
  const texts = await Promise.all(logs.map(async (path) => await readFile(path, 'utf8')));
  return { isCompleted: false, message: causeIn(texts.join('\n')) };
}

/** @throws Error as `command-runner.jar` says it. */
async function wordsOf(
  site: Site,
  folder: string,
  { Jar: jar, Args: args = [] }: Step['config']['HadoopJarStep'] & object = { Jar: '' },
): Promise<string[]> {
  if (jar !== 'command-runner.jar')
    throw new Error(`java.io.IOException: The local EMR runs command-runner.jar, and no ${jar}`);
  const [program = '', ...rest] = args;
  if (program === 'spark-submit') return sparkSubmit(site, rest);
  if (program === 's3-dist-cp') return await distCp(site, rest, folder);
  throw new Error(`java.io.IOException: Cannot run program "${program}": error=2, No such file`);
}

/**
 * Hadoop's DistCp, which does what `s3-dist-cp --src … --dest … --srcPattern …` does: what lies below the source, and
 * matches as a whole path, lands below the destination under the same relative path; what is there is overwritten.
 */
async function distCp(site: Site, given: string[], folder: string): Promise<string[]> {
  const type = 'string' as const;
  const options = { src: { type }, dest: { type }, srcPattern: { type } };
  const { src, dest, srcPattern: pattern } = parseArgs({ args: given, options }).values;
  if (src === undefined || dest === undefined)
    throw new Error('s3-dist-cp needs --src and --dest.');
  const filters = join(folder, 'filters');
  // What matches a line is not copied; DistCp looks into folders that it excludes too.
  if (pattern !== undefined) await writeFile(filters, `(?s)(?!(?:${pattern})\\z).*`);
  const { java, hadoop } = site.programs;
  const classPath = `${site.conf}:${hadoop.classPath}`;
  return [
    ...[java.path, ...JVM_OPTIONS, '-cp', classPath, 'org.apache.hadoop.tools.DistCp'],
    ...(pattern === undefined ? [] : ['-filters', filters]),
    // Written in place: a rename in S3 is a copy.
    ...['-direct', '-overwrite', '-m', MAX_COPIERS, src, dest],
  ];
}

/** Files on their way at once. */
const MAX_COPIERS = '4';
/** It copies through buffers of 8 KiB, and parts of 64 MB wait on the disk. */
const JVM_OPTIONS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
