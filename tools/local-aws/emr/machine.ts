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
 * This machine as all nodes of one cluster. HDFS, Spark and DistCp are processes of their own.
 * @param logs address for the cluster's logs, `s3://…/`, or undefined.
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
 * Makes this machine look like a master to a bootstrap action, and protects it from the action's `sudo`: a command
 * `sudo shutdown -h +5` is only recorded, and `sudo` runs no other command.
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

/** Fetches the script and runs it by the program that its first line names. @returns the exit code. */
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

/** Starts a step's program. If it cannot be started, the step fails. */
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

/** Fault: a step or a job run that does nothing and never ends. */
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

/** Fault: kills a DistCp when it begins to copy its second file. */
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

/** @param logs paths of the logs that name the cause of a failure. */
export async function endOf(
  code: Promise<number | null>,
  logs: readonly string[],
): Promise<ProgramEnd> {
  if ((await code) === 0) return { isCompleted: true };
  const texts = await Promise.all(logs.map(async (path) => await readFile(path, 'utf8')));
  return { isCompleted: false, message: causeIn(texts.join('\n')) };
}

/** @throws Error with the message of `command-runner.jar`. */
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
 * Words of Hadoop's DistCp for `s3-dist-cp --src … --dest … --srcPattern …`. DistCp copies the files below the source
 * whose whole path matches to the same relative path below the destination. It overwrites files there.
 */
async function distCp(site: Site, given: string[], folder: string): Promise<string[]> {
  const type = 'string' as const;
  const options = { src: { type }, dest: { type }, srcPattern: { type } };
  const { src, dest, srcPattern: pattern } = parseArgs({ args: given, options }).values;
  if (src === undefined || dest === undefined)
    throw new Error('s3-dist-cp needs --src and --dest.');
  const filters = join(folder, 'filters');
  // DistCp does not copy paths that match a line. It also looks into the folders that it excludes.
  if (pattern !== undefined) await writeFile(filters, `(?s)(?!(?:${pattern})\\z).*`);
  const { java, hadoop } = site.programs;
  const classPath = `${site.conf}:${hadoop}`;
  return [
    ...[java.path, ...JVM_OPTIONS, '-cp', classPath, 'org.apache.hadoop.tools.DistCp'],
    ...(pattern === undefined ? [] : ['-filters', filters]),
    // Files are written in place, because a rename in S3 is a copy.
    ...['-direct', '-overwrite', '-m', MAX_COPIERS, src, dest],
  ];
}

/** Number of files that DistCp copies at once. */
const MAX_COPIERS = '4';
/** DistCp copies through buffers of 8 KiB, and parts of 64 MB wait on the disk. It needs little memory. */
const JVM_OPTIONS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
