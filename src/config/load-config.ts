import { existsSync } from 'node:fs';
import type { SourceSpec } from '../model/dataset.ts';
import { secretValues } from './address-secrets.ts';
import { NO_DATASETS, type Datasets } from './dataset-specs.ts';
import type { Fingerprints } from './fingerprints.ts';
import { readDatasets } from './load-datasets.ts';
import { readSettings, type SettingsSource } from './load-settings.ts';
import { assertNoProblems } from './problems.ts';
import type { Settings } from './settings.ts';

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
 * Reads and checks the settings and the datasets together at the start. Without `given`, it reads this process's
 * environment, and adds the AWS keys of `.env` to it.
 * @param lake the value of --lake.
 * @throws LonghaulError CONFIG_INVALID with all problems of both, each with file and line.
 */
export function loadConfig(given?: SettingsSource, lake?: string): Config {
  const source = { lake, ...(given ?? ofThisProcess()) };
  const { settings, problems, datasetsFileChosen, aws, fingerprints } = readSettings(source);
  const { cwd, env } = source;
  const isWanted = datasetsFileChosen || existsSync(settings.datasetsFile);
  const { problems: ofDatasets, ...datasets } = isWanted
    ? readDatasets(settings.datasetsFile, cwd)
    : { ...NO_DATASETS, problems: [] };
  assertNoProblems([...problems, ...ofDatasets]);
  // This runs before any AWS client exists. Child processes and threads inherit the environment.
  if (!given) Object.assign(process.env, aws);
  return {
    ...datasets,
    cwd,
    settings,
    searchPath: env['PATH'],
    runtimeDir: env['XDG_RUNTIME_DIR'],
    secretsOf: (of) => secretValues(of, source, 'this command'),
    fingerprints,
  };
}

/** Only this function reads the process's own environment. */
export function ofThisProcess(): SettingsSource {
  return { env: process.env, cwd: process.cwd() };
}
