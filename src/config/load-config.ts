import { existsSync } from 'node:fs';
import type { SourceSpec } from '../model/dataset.ts';
import { secretValues } from './address-secrets.ts';
import { NO_DATASETS, type Datasets } from './dataset-specs.ts';
import type { Fingerprints } from './fingerprints.ts';
import { readDatasets } from './load-datasets.ts';
import { readSettings, type SettingsSource } from './load-settings.ts';
import { assertNoProblems } from './problems.ts';
import type { Settings } from './settings.ts';

/** Without datasets where there is no datasets.yaml and DATASETS_FILE is not set: a URL or a path needs none. */
export interface Config extends Datasets {
  /** Absolute: where relative paths of the command line start. */
  cwd: string;
  settings: Settings;
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
  const { cwd, env } = source;
  const isWanted = datasetsFileChosen || existsSync(settings.datasetsFile);
  const { problems: ofDatasets, ...datasets } = isWanted
    ? readDatasets(settings.datasetsFile, cwd)
    : { ...NO_DATASETS, problems: [] };
  assertNoProblems([...problems, ...ofDatasets]);
  // Before any client is made; children and threads inherit it.
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

/** The one place that reads the process's own environment. */
export function ofThisProcess(): SettingsSource {
  return { env: process.env, cwd: process.cwd() };
}
