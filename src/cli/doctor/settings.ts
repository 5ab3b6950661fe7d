import type { Config } from '../../config/load-config.ts';
import { LonghaulError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import type { Check, Finding } from './check.ts';

/** They are loaded already. */
const LIMIT_MS = 1000;

export type LoadedConfig = { config: Config } | { error: LonghaulError };

/** As every command loads them, but an error of theirs is a finding. */
export function tryConfig(context: CliContext): LoadedConfig {
  try {
    return { config: context.loadConfig() };
  } catch (error) {
    if (error instanceof LonghaulError) return { error };
    throw error;
  }
}

export function settingsCheck(loaded: LoadedConfig): Check {
  return {
    id: 'settings',
    title: 'Settings',
    limitMs: LIMIT_MS,
    run: async () => {
      if ('error' in loaded) throw loaded.error;
      return await Promise.resolve(ofConfig(loaded.config));
    },
  };
}

function ofConfig({ settings, datasets }: Config): Finding {
  const { target, datasetsFile, engine } = settings;
  const known =
    datasets.length === 0
      ? `no datasets in ${datasetsFile}, so only a URL or a file can be ingested`
      : `${datasets.length === 1 ? '1 dataset' : `${datasets.length} datasets`} in ${datasetsFile}`;
  return { status: 'ok', found: `target ${target}, engine ${engine}, ${known}` };
}
