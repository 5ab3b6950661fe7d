import { resolve } from 'node:path';
import {
  awsOfFile,
  endpointOf,
  problemsOfOldKeys,
  readEnvFile,
  type EnvEntry,
} from './env-file.ts';
import { fingerprintsOf, type Fingerprints } from './fingerprints.ts';
import { assertNoProblems, shown, type Problem } from './problems.ts';
import { SETTING_KEYS, type Rule, type SettingKey, type SettingValues } from './setting-keys.ts';
import { settingsOf, type EmrSettings, type Settings } from './settings.ts';
import { readTemporal } from './temporal-settings.ts';

export interface SettingsSource {
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute path from which relative paths of the settings start. */
  cwd: string;
  /** Path relative to `cwd`; by default `.env`. The file may be absent. */
  envFile?: string;
  /** The value of --lake, which replaces LAKE. */
  lake?: string | undefined;
}

/**
 * Reads each setting from the environment, else from `.env`, else takes its default. An empty value means "not set", so
 * an empty variable in the environment cancels a line of the file.
 * @throws LonghaulError CONFIG_INVALID with all problems, each with file and line.
 */
export function loadSettings(source: SettingsSource): Settings {
  const { settings, problems } = readSettings(source);
  assertNoProblems(problems);
  return settings;
}

/** Does the same as `loadSettings`, but returns the problems, for one message with those of datasets.yaml. */
export function readSettings(source: SettingsSource): {
  settings: Settings;
  problems: Problem[];
  /** Whether the user chose the datasets file, so that its absence is a problem. */
  datasetsFileChosen: boolean;
  /** The file's values for the AWS SDK, which reads only the environment. */
  aws: Record<string, string>;
  fingerprints: Fingerprints;
} {
  const label = source.envFile ?? '.env';
  const file = readEnvFile(resolve(source.cwd, label), label);
  const problems = [...file.problems];
  const values: Partial<Record<SettingKey, unknown>> = {};
  const lookUp = (key: string): EnvEntry | undefined =>
    key === 'LAKE' && source.lake !== undefined
      ? { value: source.lake, where: '--lake' }
      : entryOf(key, source.env, file.entries);
  for (const key of Object.keys(SETTING_KEYS) as SettingKey[]) {
    const entry = lookUp(key);
    if (!entry || entry.value === '') continue;
    const { expects, read, isSecret = false }: Rule<unknown> = SETTING_KEYS[key];
    const value = read(entry.value);
    values[key] = value;
    if (value !== undefined) continue;
    const found = isSecret ? '' : `, not ${shown(entry.value)}`;
    problems.push({ where: entry.where, message: `${key} must be ${expects}${found}` });
  }
  const { temporal, problems: ofTemporal } = readTemporal({
    env: source.env,
    file: file.entries,
    cwd: source.cwd,
    has: (key) =>
      key in SETTING_KEYS
        ? values[key as SettingKey] !== undefined
        : (lookUp(key)?.value ?? '') !== '',
    entryOf: lookUp,
    label,
  });
  problems.push(...ofTemporal);
  const endpoint = endpointOf(file.entries, source.env);
  const settings = settingsOf(values as SettingValues, temporal, {
    cwd: source.cwd,
    searchPath: source.env['PATH'],
    customEndpoint: endpoint !== undefined,
  });
  const labelled = (...keys: string[]): string =>
    keys.map((key) => lookUp(key)?.where).find(Boolean) ?? label;
  problems.push(...problemsOfOldKeys(lookUp));
  if ((values.WORKER_DEPLOYMENT_NAME === undefined) !== (values.WORKER_BUILD_ID === undefined)) {
    const where = labelled('WORKER_DEPLOYMENT_NAME', 'WORKER_BUILD_ID');
    problems.push({ where, message: 'WORKER_DEPLOYMENT_NAME and WORKER_BUILD_ID go together' });
  }
  const emr = problemOfEmr(settings.emr);
  if (emr !== undefined) problems.push({ where: labelled('EMR_OUTPUT'), message: emr });
  const aws = awsOfFile(file.entries, source.env);
  return {
    settings,
    problems,
    datasetsFileChosen: values.DATASETS_FILE !== undefined,
    aws,
    fingerprints: fingerprintsOf(values as SettingValues, { ...source.env, ...aws }, source.cwd),
  };
}

function entryOf(
  key: string,
  env: SettingsSource['env'],
  file: ReadonlyMap<string, EnvEntry>,
): EnvEntry | undefined {
  const value = env[key];
  return value === undefined ? file.get(key) : { value, where: 'environment' };
}

/** Refuses a cluster that the user would pay for, but whose data is gone as soon as the run ends. */
function problemOfEmr({ output, keepAliveMs, clusterId }: EmrSettings): string | undefined {
  if (output !== 'hdfs' || keepAliveMs !== undefined || clusterId !== undefined) return undefined;
  return 'EMR_OUTPUT=hdfs needs EMR_KEEP_ALIVE=2h, or an EMR_CLUSTER_ID: HDFS ends with its cluster';
}
