import { isDeepStrictEqual } from 'node:util';
import {
  isSecretHeader,
  SECRET_HINT,
  secretIn,
  shownAddress,
  variablesIn,
  variablesOf,
} from '../model/addresses.ts';
import { datedAddress } from '../model/dates.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { SourceTask } from '../model/run.ts';
import { readEnvFile, type SettingsSource } from './env-file.ts';
import { loadDatasets } from './load-datasets.ts';

/** A source of a run. Its address has the names of its secrets, and the run's day is filled in. */
type SourceOfDay = Pick<SourceTask, 'dataset' | 'ingestDate' | 'source'>;

/**
 * Returns the values of the variables in an address. It reads `.env` and datasets.yaml at each call, so that the
 * operator can renew a secret without a restart.
 * @throws LonghaulError ADDRESS_REFUSED if the worker's own datasets.yaml does not have exactly this address and these
 *   headers for the dataset: another user's run could send the secret elsewhere. SECRET_MISSING, CONFIG_INVALID.
 */
export type AddressSecrets = (task: SourceOfDay) => Record<string, string>;

export function addressSecrets(datasetsFile: string, source: SettingsSource): AddressSecrets {
  return (task) => {
    assertNoneInClear(task.source);
    if (variablesOf(task.source).length === 0) return {};
    assertConfigured(task, datasetsFile);
    return secretValues(task.source, source, 'this worker');
  };
}

/**
 * Returns the values of the variables in an address and its headers, from the environment, else from `.env`.
 * @param who lacks a missing value, for the message.
 * @throws LonghaulError SECRET_MISSING.
 */
export function secretValues(
  source: Pick<SourceSpec, 'address' | 'headers'>,
  { env, cwd }: SettingsSource,
  who: string,
): Record<string, string> {
  const names = variablesOf(source);
  if (names.length === 0) return {};
  const file = readEnvFile(cwd).entries;
  const valueOf = (name: string): string => (env[name] ?? file.get(name)?.value ?? '').trim();
  const missing = [...new Set(names)].filter((name) => valueOf(name) === '');
  if (missing.length > 0) {
    throw new LonghaulError(
      'SECRET_MISSING',
      `${shownAddress(source.address)} needs ${missing.join(' and ')}, which ${who} does not have.`,
    );
  }
  return Object.fromEntries(names.map((name) => [name, valueOf(name)]));
}

/** An older run or another user's run may still have a secret in its address or headers. */
function assertNoneInClear({ address, headers = {} }: SourceSpec): void {
  const inHeader = Object.entries(headers).find(
    ([header, value]) => isSecretHeader(header) && variablesIn(value).length === 0,
  );
  const name = secretIn(address) ?? inHeader?.[0];
  if (name === undefined) return;
  throw new LonghaulError(
    'ADDRESS_REFUSED',
    `${shownAddress(address)} holds what looks like a secret, ${JSON.stringify(name)}.`,
    { hint: SECRET_HINT },
  );
}

function assertConfigured({ dataset, ingestDate, source }: SourceOfDay, file: string): void {
  const { address, headers } = source;
  const own = loadDatasets(file).find(({ name }) => name === dataset);
  const isSame = (each: SourceSpec): boolean =>
    datedAddress(each.address, ingestDate) === address && isDeepStrictEqual(each.headers, headers);
  if (own?.sources.some(isSame)) return;
  throw new LonghaulError(
    'ADDRESS_REFUSED',
    `${shownAddress(address)} names a secret, and this worker's datasets.yaml does not have exactly this address for ${dataset}.`,
    { hint: 'Give the worker the same datasets.yaml; it is read anew for each request.' },
  );
}
