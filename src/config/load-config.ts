import { existsSync } from 'node:fs';
import type { SourceSpec } from '../model/dataset.ts';
import { secretValues } from './address-secrets.ts';
import { NO_DATASETS, type Datasets } from './dataset-specs.ts';
import {
  awsOfFile,
  ENV_FILE,
  noteOldKeys,
  readEnvFile,
  type EnvEntry,
  type EnvFile,
  type SettingsSource,
} from './env-file.ts';
import { fingerprintsOf, type Fingerprints } from './fingerprints.ts';
import { readDatasets } from './load-datasets.ts';
import { assertNoProblems, shown } from './problems.ts';
import { SETTING_KEYS, type Rule, type SettingKey, type SettingValues } from './setting-keys.ts';
import { settingsOf, type Settings } from './settings.ts';
import { readTemporal } from './temporal-settings.ts';

/**
 * The configuration of a process. Without datasets.yaml and DATASETS_FILE it has no datasets: a URL or a path needs
 * none.
 */
export interface Config extends Datasets {
  /** Absolute path from which relative paths of the command line start. */
  cwd: string;
  settings: Settings;
  /** PATH, on which Longhaul looks for outside programs. */
  searchPath: string | undefined;
  /** XDG_RUNTIME_DIR, for the socket of an embedded host whose state folder cannot hold one. */
  runtimeDir: string | undefined;
  /**
   * Returns the values of the variables in an address and its headers, for requests of this process itself.
   * @throws LonghaulError SECRET_MISSING.
   */
  secretsOf: (source: Pick<SourceSpec, 'address' | 'headers'>) => Record<string, string>;
  /** Hashes to compare with those of another process. */
  fingerprints: Fingerprints;
}

/**
 * Reads each setting from the environment, else from `.env`, else takes its default, and reads datasets.yaml. An empty
 * value means "not set", so an empty variable in the environment cancels a line of the file. If `env` is not given, it
 * is this process's own, which gets the AWS keys of `.env`.
 * @param given.lake the value of --lake, which replaces LAKE.
 * @throws LonghaulError CONFIG_INVALID with all problems of both files, each with file and line.
 */
export function loadConfig({
  lake,
  ...given
}: Partial<SettingsSource> & { lake?: string | undefined } = {}): Config {
  const source = { ...ofThisProcess(), ...given };
  const { env, cwd } = source;
  const file = readEnvFile(cwd);
  const problems = [...file.problems];
  const entries = entriesOf(file.entries, env, lake);
  const note = (message: string, ...keys: string[]): void => {
    const where = keys.map((key) => entries.get(key)?.where).find(Boolean) ?? ENV_FILE;
    problems.push({ where, message });
  };
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of Object.keys(SETTING_KEYS) as SettingKey[]) {
    const entry = entries.get(key);
    if (!entry) continue;
    const { expects, read, isSecret = false }: Rule<unknown> = SETTING_KEYS[key];
    values[key] = read(entry.value);
    if (values[key] !== undefined) continue;
    note(`${key} must be ${expects}${isSecret ? '' : `, not ${shown(entry.value)}`}`, key);
    entries.delete(key);
  }
  const settings = settingsOf(values as SettingValues, readTemporal({ entries, cwd, note }), {
    cwd,
    searchPath: env['PATH'],
    customEndpoint: entries.has('AWS_ENDPOINT_URL_S3') || entries.has('AWS_ENDPOINT_URL'),
  });
  noteOldKeys(entries, note);
  if (entries.has('WORKER_DEPLOYMENT_NAME') !== entries.has('WORKER_BUILD_ID')) {
    const pair = ['WORKER_DEPLOYMENT_NAME', 'WORKER_BUILD_ID'];
    note(`${pair.join(' and ')} go together`, ...pair);
  }
  const { output, keepAliveMs, clusterId } = settings.emr;
  // The user would pay for a cluster whose data is gone as soon as the run ends.
  if (output === 'hdfs' && keepAliveMs === undefined && clusterId === undefined) {
    const needed = 'EMR_KEEP_ALIVE=2h, or an EMR_CLUSTER_ID: HDFS ends with its cluster';
    note(`EMR_OUTPUT=hdfs needs ${needed}`, 'EMR_OUTPUT');
  }
  const isWanted = values.DATASETS_FILE !== undefined || existsSync(settings.datasetsFile);
  const { problems: ofDatasets, ...datasets } = isWanted
    ? readDatasets(settings.datasetsFile, cwd)
    : { ...NO_DATASETS, problems: [] };
  assertNoProblems([...problems, ...ofDatasets]);
  const aws = awsOfFile(file.entries, env);
  // This runs before any AWS client exists. Child processes inherit the environment.
  if (!given.env) Object.assign(process.env, aws);
  return {
    ...datasets,
    cwd,
    settings,
    searchPath: env['PATH'],
    runtimeDir: env['XDG_RUNTIME_DIR'],
    secretsOf: (of) => secretValues(of, source, 'this command'),
    fingerprints: fingerprintsOf(values as SettingValues, { ...env, ...aws }, cwd),
  };
}

/** Only this function reads the process's own environment. */
export function ofThisProcess(): SettingsSource {
  return { env: process.env, cwd: process.cwd() };
}

function entriesOf(
  file: EnvFile['entries'],
  env: SettingsSource['env'],
  lake: string | undefined,
): Map<string, EnvEntry> {
  const entries = new Map(file);
  for (const [key, value] of Object.entries(env)) {
    if (value !== undefined) entries.set(key, { value, where: 'environment' });
  }
  if (lake !== undefined) entries.set('LAKE', { value: lake, where: '--lake' });
  return new Map([...entries].filter(([, { value }]) => value !== ''));
}
