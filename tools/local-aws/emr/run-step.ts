import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type Child } from '../../../src/programs/child.ts';
import { readDistCp } from './dist-cp-command.ts';
import type { CancelHow } from './model.ts';
import type { RunnableStep, RunningStep, StepEnd } from './runtime.ts';
import type { Site } from './site.ts';
import { sparkSubmit, type Command } from './spark-command.ts';
import { causeIn, uploadLogs } from './step-logs.ts';

/** As EMR has them in S3, each with `.gz`. */
const LOGS = ['controller', 'stderr', 'stdout'] as const;
/** For what a JVM does on SIGTERM, such as removing its staging. */
const INTERRUPT_LIMIT_MS = 10_000;

/** Starts a step's program; what cannot be started is a failed step. Never rejects. */
export async function startStep(site: Site, step: RunnableStep): Promise<RunningStep> {
  const folder = join(site.folder, 'steps', step.id);
  await mkdir(folder, { recursive: true });
  const note = async (text: string): Promise<void> => {
    await appendFile(join(folder, 'controller'), `${new Date().toISOString()} ${text}\n`);
  };
  await note(`INFO startExec '${[step.jar, ...step.args].join(' ')}'`);
  const process = step.fault === 'hang' ? hangingProcess() : await start(site, step, folder);
  const ended = process.ended.then(async (code) => {
    await note(code === 0 ? 'INFO Step succeeded' : `WARN Step failed with exitCode ${code}`);
    return await endOf(site, step, code);
  });
  return { ended, cancel: (how) => process.cancel(how) };
}

interface Process {
  /** The exit code; 1 where it was killed or could not be started. */
  ended: Promise<number>;
  cancel(how: CancelHow): void;
}

/** Fault: a step or a job run that does nothing, for ever. */
export function hangingProcess(): Process {
  let end: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  return { ended, cancel: () => end(KILLED) };
}

/** As a shell says it of SIGTERM. */
const KILLED = 143;

async function start(site: Site, step: RunnableStep, folder: string): Promise<Process> {
  const stderr = join(folder, 'stderr');
  try {
    const { words, env } = await commandOf(site, step, folder);
    const child = await startChild(words, { env, folder, stdout: join(folder, 'stdout'), stderr });
    const ended = step.fault === 'copyFailure' ? killedInTheMiddle(child, stderr) : codeOf(child);
    return { ended, cancel: (how) => cancel(child, how) };
  } catch (error) {
    await appendFile(stderr, `Exception in thread "main" ${(error as Error).message}\n`);
    return { ended: Promise.resolve(1), cancel: () => undefined };
  }
}

async function codeOf(child: Child): Promise<number> {
  return (await child.ended).code ?? KILLED;
}

/** Fault: a DistCp that copies its files in turn, and of which the second one begins. */
async function killedInTheMiddle(child: Child, stderr: string): Promise<number> {
  while (!child.hasEnded()) {
    const log = await readFile(stderr, 'utf8');
    if (log.split(COPY_BEGINS).length > 2) child.signal('SIGKILL');
    await sleep(LOOK_MS);
  }
  await child.ended;
  return KILLED;
}

/** Of DistCp, with both paths. */
const COPY_BEGINS = /CopyMapper: Copying /;
const LOOK_MS = 10;

function cancel(child: Child, how: CancelHow): void {
  if (how === 'TERMINATE_PROCESS') child.signal('SIGKILL');
  else void child.stop(INTERRUPT_LIMIT_MS);
}

/** @throws Error as `command-runner.jar` says it. */
async function commandOf(
  site: Site,
  { jar, args }: RunnableStep,
  folder: string,
): Promise<Command> {
  if (basename(jar) !== 'command-runner.jar') {
    throw new Error(`java.io.IOException: The local EMR runs command-runner.jar, and no ${jar}`);
  }
  const [program = '', ...rest] = args;
  if (program === 'spark-submit') return sparkSubmit(site, rest);
  if (program === 's3-dist-cp') return await distCp(site, rest, folder);
  throw new Error(
    `java.lang.RuntimeException: java.io.IOException: Cannot run program "${program}" (in directory "."): ` +
      'error=2, No such file or directory',
  );
}

async function distCp(site: Site, given: readonly string[], folder: string): Promise<Command> {
  const { args, exclusion } = readDistCp(given);
  const filters = join(folder, 'filters');
  if (exclusion !== undefined) await writeFile(filters, exclusion);
  const classPath = `${site.conf}:${site.programs.hadoop.classPath}`;
  const java = [site.programs.java.path, ...JVM_OPTIONS, '-cp', classPath];
  const filtered = exclusion === undefined ? [] : ['-filters', filters];
  const words = [...java, 'org.apache.hadoop.tools.DistCp', ...filtered, ...args];
  return { words, env: site.env };
}

/** It copies through buffers of 8 KiB, and parts of 64 MB wait on the disk. */
const JVM_OPTIONS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** A step is what it is, whatever becomes of its logs. */
export async function saveStepLogs(site: Site, stepId: string): Promise<void> {
  const place = logPlace(site, stepId);
  if (place === undefined) return;
  await uploadLogs(site.client, join(site.folder, 'steps', stepId), LOGS, place).catch(
    () => undefined,
  );
}

function logPlace({ logUri, clusterId }: Site, stepId: string): string | undefined {
  return logUri && `${logUri}${clusterId}/steps/${stepId}/`;
}

async function endOf(site: Site, { id }: RunnableStep, code: number): Promise<StepEnd> {
  if (code === 0) return { isCompleted: true };
  const stderr = await readFile(join(site.folder, 'steps', id, 'stderr'), 'utf8').catch(() => '');
  const place = logPlace(site, id);
  return {
    isCompleted: false,
    message: causeIn(stderr),
    logFile: place && `${place}stderr.gz`,
  };
}
