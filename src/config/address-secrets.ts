import { resolve } from 'node:path';
import { SECRET_HINT, secretIn, shownAddress, variablesIn } from '../model/addresses.ts';
import { datedAddress } from '../model/dated-address.ts';
import { LonghaulError } from '../model/errors.ts';
import { readEnvFile } from './env-file.ts';
import { loadDatasets } from './load-datasets.ts';
import type { SettingsSource } from './load-settings.ts';

/** An address as a run has it: with the names of its secrets, and its day filled in. */
export interface AddressUse {
  dataset: string;
  ingestDate: string;
  address: string;
}

/**
 * What the variables in an address stand for, at the moment of the request: `.env` and datasets.yaml are read anew, so
 * that a secret can be renewed without a restart.
 * @throws LonghaulError ADDRESS_REFUSED where this worker's own datasets.yaml does not have exactly this address for this
 *   dataset: a stranger's run would carry the secret to a host of its own. SECRET_MISSING, CONFIG_INVALID.
 */
export type AddressSecrets = (use: AddressUse) => Record<string, string>;

export function addressSecrets(
  datasetsFile: string,
  { env, cwd, envFile = '.env' }: SettingsSource,
): AddressSecrets {
  return (use) => {
    assertNoneInClear(use.address);
    const names = variablesIn(use.address);
    if (names.length === 0) return {};
    assertConfigured(use, datasetsFile);
    const file = readEnvFile(resolve(cwd, envFile), envFile).entries;
    const valueOf = (name: string): string => (env[name] ?? file.get(name)?.value ?? '').trim();
    const missing = [...new Set(names)].filter((name) => valueOf(name) === '');
    if (missing.length > 0) {
      throw new LonghaulError(
        'SECRET_MISSING',
        `${shownAddress(use.address)} needs ${missing.join(' and ')}, which this worker does not have.`,
      );
    }
    return Object.fromEntries(names.map((name) => [name, valueOf(name)]));
  };
}

/** Older runs, and a stranger's, may still come with one. */
function assertNoneInClear(address: string): void {
  const name = secretIn(address);
  if (name === undefined) return;
  throw new LonghaulError(
    'ADDRESS_REFUSED',
    `${shownAddress(address)} holds what looks like a secret, ${JSON.stringify(name)}.`,
    { hint: SECRET_HINT },
  );
}

function assertConfigured(
  { dataset, ingestDate, address }: AddressUse,
  datasetsFile: string,
): void {
  const own = loadDatasets(datasetsFile).find(({ name }) => name === dataset);
  if (own?.sources.some((source) => datedAddress(source.address, ingestDate) === address)) return;
  throw new LonghaulError(
    'ADDRESS_REFUSED',
    `${shownAddress(address)} names a secret, and this worker's datasets.yaml does not have exactly this address for ${dataset}.`,
    { hint: 'Give the worker the same datasets.yaml; it is read anew for each request.' },
  );
}
