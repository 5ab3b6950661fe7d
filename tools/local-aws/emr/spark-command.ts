import { join } from 'node:path';
import { SPARK_DEFAULTS } from './machine-files.ts';
import type { SparkSite } from './site.ts';

export interface Command {
  words: string[];
  env: NodeJS.ProcessEnv;
}

/** `spark-submit` with the given arguments, in this machine's local mode. */
export function sparkSubmit(site: SparkSite, given: readonly string[]): Command {
  const { args, driverClassPath } = readSparkSubmit(given);
  const ours = site.programs.s3a.classPath;
  const classPath =
    driverClassPath === undefined ? [] : ['--driver-class-path', `${ours}:${driverClassPath}`];
  const master = ['--master', `local[${site.cores}]`, '--deploy-mode', 'client'];
  const defaults = ['--properties-file', join(site.conf, SPARK_DEFAULTS)];
  return {
    words: [site.programs.spark.submit, ...master, ...defaults, ...classPath, ...args],
    env: site.env,
  };
}

/** A step's `spark-submit`, as it is run here. */
export interface SparkSubmit {
  /** What spark-submit is given, its name apart. */
  args: string[];
  /** Of the driver, as the step asked for it: what S3 needs goes before. */
  driverClassPath: string | undefined;
}

/** Options that take no value. */
const FLAGS = new Set(['--supervise', '--verbose', '-v', '--version', '--help', '-h']);
/** What a cluster's resource manager is asked for: there is none here. */
const REPLACED = new Set(['--master', '--deploy-mode', '--driver-class-path']);
const REPLACED_CONF = /^(?:spark\.master|spark\.submit\.deployMode|spark\.driver\.extraClassPath)=/;

/**
 * Takes master and deploy mode out of a `spark-submit`'s arguments: the caller sets its own. All else, and whatever
 * follows the application, stays as it is.
 */
export function readSparkSubmit(args: readonly string[]): SparkSubmit {
  const kept: string[] = [];
  const classPaths: string[] = [];
  let index = 0;
  for (let arg = args[index]; arg?.startsWith('-') === true; arg = args[index]) {
    const { name, value, length } = optionAt(args, index);
    index += length;
    if (name === '--driver-class-path' && value !== undefined) classPaths.push(value);
    const conf = name === '--conf' || name === '-c' ? value : undefined;
    if (conf?.startsWith(EXTRA_CLASS_PATH) === true)
      classPaths.push(conf.slice(EXTRA_CLASS_PATH.length));
    const isReplaced = REPLACED.has(name) || (conf !== undefined && REPLACED_CONF.test(conf));
    if (!isReplaced) kept.push(name, ...(value === undefined ? [] : [value]));
  }
  return { args: [...kept, ...args.slice(index)], driverClassPath: classPaths.at(-1) };
}

const EXTRA_CLASS_PATH = 'spark.driver.extraClassPath=';

/** `--name value`, `--name=value` or `--flag`. */
function optionAt(
  args: readonly string[],
  index: number,
): { name: string; value: string | undefined; length: number } {
  const arg = args[index] ?? '';
  const [, name = arg, value] = /^(--[\w-]+)=(.*)$/s.exec(arg) ?? [];
  if (value !== undefined) return { name, value, length: 1 };
  if (FLAGS.has(arg)) return { name: arg, value: undefined, length: 1 };
  return { name: arg, value: args[index + 1], length: 2 };
}
