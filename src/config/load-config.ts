import { existsSync } from 'node:fs';
import type { DatasetSpec, SourceSpec } from '../model/dataset.ts';
import type { KeepRule } from '../model/sweep.ts';
import { secretValues } from './address-secrets.ts';
import type { Schedules } from './dataset-specs.ts';
import type { Fingerprints } from './fingerprints.ts';
import { readDatasets } from './load-datasets.ts';
import { readSettings, type SettingsSource } from './load-settings.ts';
import { assertNoProblems } from './problems.ts';
import type { Settings } from './settings.ts';

export interface Config {
  /** Absolute: where relative paths of the command line start. */
  cwd: string;
  settings: Settings;
  /** Empty where there is no datasets.yaml and DATASETS_FILE is not set: a URL or a path needs none. */
  datasets: DatasetSpec[];
  /** By dataset; those with `schedule: false` are not here. */
  schedules: Schedules;
  /** How long the datasets that say so keep their days. */
  keep: KeepRule[];
  /** PATH, where outside programs are looked for. */
  searchPath: string | undefined;
  /** XDG_RUNTIME_DIR, for the socket of an embedded host whose state folder cannot hold one. */
  runtimeDir: string | undefined;
  /**
   * What the variables in an address and its headers stand for, where this process itself asks the publisher.
   * @throws LonghaulError SECRET_MISSING.
   */
  secretsOf: (source: Pick<SourceSpec, 'address' | 'headers'>) => Record<string, string>;
  /** To be compared with another process's. */
  fingerprints: Fingerprints;
}

/**
 * The settings and the datasets, checked together at start. Of this process: what `.env` has for the AWS SDK becomes
 * part of its environment.
 * @param lake what --lake says.
 * @throws LonghaulError CONFIG_INVALID naming every problem of both, each with file and line.
 */
export function loadConfig(given?: SettingsSource, lake?: string): Config {
  const source = { lake, ...(given ?? ofThisProcess()) };
  const { settings, problems, datasetsFileChosen, aws, fingerprints } = readSettings(source);
  const wanted = datasetsFileChosen || existsSync(settings.datasetsFile);
  const found = wanted
    ? readDatasets(settings.datasetsFile, source.cwd)
    : { datasets: [], schedules: new Map(), keep: [], problems: [] };
  assertNoProblems([...problems, ...found.problems]);
  // Before any client is made; children and threads inherit it.
  if (!given) Object.assign(process.env, aws);
  const { datasets, schedules, keep } = found;
  const { cwd, env } = source;
  const [searchPath, runtimeDir] = [env['PATH'], env['XDG_RUNTIME_DIR']];
  return {
    cwd,
    settings,
    datasets,
    schedules,
    keep,
    searchPath,
    runtimeDir,
    secretsOf: (of) => secretValues(of, source, 'this command'),
    fingerprints,
  };
}

/** The one place that reads the process's own environment. */
export function ofThisProcess(): SettingsSource {
  return { env: process.env, cwd: process.cwd() };
}
