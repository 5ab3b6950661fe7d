import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  loadClientConfig,
  loadClientConfigProfile,
  toClientOptions,
  type ClientConfigProfile,
} from '@temporalio/envconfig';
import type { EnvEntry } from './env-file.ts';
import { shown, type Problem } from './problems.ts';
import type { TemporalSettings, TemporalTls } from './settings.ts';

/** Longhaul checks these keys. Temporal's library accepts any text for them, and takes any but `true` as no TLS. */
const CHECKED_KEYS = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
] as const;
/** The other keys of Temporal's own environment configuration. Its library reads and checks them. */
export const LIBRARY_KEYS = [
  'TEMPORAL_PROFILE',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_SERVER_NAME',
] as const;
type OfficialKey = (typeof CHECKED_KEYS | typeof LIBRARY_KEYS)[number];

/** The prefix of keys for headers of all requests. The name of the header follows it. */
export const GRPC_META_PREFIX = 'TEMPORAL_GRPC_META_';
/** Folders in which Temporal's own tools look for temporal.toml. */
const FOLDER_KEYS = ['HOME', 'XDG_CONFIG_HOME', 'APPDATA'];
const DEFAULT_NAMESPACE = 'default';

export interface TemporalSources {
  env: Readonly<Record<string, string | undefined>>;
  file: ReadonlyMap<string, EnvEntry>;
  /** Absolute path from which relative paths start. */
  cwd: string;
  /** Whether the key is set and, if it is a setting of Longhaul, has passed its check. */
  has: (key: OfficialKey) => boolean;
  /** The text of the key's value, and its place. */
  entryOf: (key: string) => EnvEntry | undefined;
  /** The name of the settings in messages if no key has the problem. */
  label: string;
}

/**
 * Reads how to reach Temporal: the TEMPORAL_ settings, which replace those of a chosen profile. If no setting chooses a
 * profile, no temporal.toml is read. Otherwise another tool's file would make commands leave the embedded server.
 */
export function readTemporal(sources: TemporalSources): {
  temporal: TemporalSettings;
  problems: Problem[];
} {
  const { has } = sources;
  const problems: Problem[] = [];
  const note = (key: OfficialKey, message: string): void => {
    problems.push({ where: sources.entryOf(key)?.where ?? sources.label, message });
  };
  const chosen = has('TEMPORAL_PROFILE') || has('TEMPORAL_CONFIG_FILE');
  const profile = chosen ? chosenProfile(sources, note) : fromSettings(sources);
  if (chosen && profile && profile.address === undefined) {
    note(
      'TEMPORAL_PROFILE',
      `${profileName(sources)} has no address, and TEMPORAL_ADDRESS is not set`,
    );
  }
  if (!chosen && has('TEMPORAL_API_KEY') && !has('TEMPORAL_ADDRESS')) {
    const message =
      'TEMPORAL_API_KEY needs a TEMPORAL_ADDRESS, or a TEMPORAL_PROFILE, to go with it';
    note('TEMPORAL_API_KEY', message);
  }
  return { temporal: settingsOf(profile ?? {}, note), problems };
}

type Note = (key: OfficialKey, message: string) => void;

function fromSettings(sources: TemporalSources): ClientConfigProfile {
  return loadClientConfigProfile({ overrideEnvVars: official(sources), disableFile: true });
}

/** Returns undefined if there is a problem. No message holds text of the file, because it may hold an API key. */
function chosenProfile(sources: TemporalSources, note: Note): ClientConfigProfile | undefined {
  const overrideEnvVars = official(sources);
  const path = overrideEnvVars['TEMPORAL_CONFIG_FILE'];
  const file = path ?? 'the temporal.toml of your configuration folder';
  const name = overrideEnvVars['TEMPORAL_PROFILE'] ?? 'default';
  try {
    // The library treats a missing file as an empty one.
    if (path !== undefined) readFileSync(path);
    const { profiles } = loadClientConfig({ overrideEnvVars });
    if (Object.hasOwn(profiles, name)) return loadClientConfigProfile({ overrideEnvVars });
    const known = Object.keys(profiles).map((each) => shown(each));
    const others = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
    note('TEMPORAL_PROFILE', `there is no profile ${shown(name)} in ${file}: ${others}`);
  } catch (error) {
    note('TEMPORAL_CONFIG_FILE', `${file} ${reasonOf(error)}`);
  }
  return undefined;
}

function profileName(sources: TemporalSources): string {
  return `the profile ${shown(official(sources)['TEMPORAL_PROFILE'] ?? 'default')}`;
}

/** Returns the keys in the library's form, from `.env` and the environment together. */
function official({ env, file, cwd, has, entryOf }: TemporalSources): Record<string, string> {
  const found: Record<string, string> = {};
  for (const key of FOLDER_KEYS) if (env[key]) found[key] = env[key];
  for (const key of [...file.keys(), ...Object.keys(env)]) {
    const value = key.startsWith(GRPC_META_PREFIX) ? entryOf(key)?.value : undefined;
    if (value !== undefined) found[key] = value;
  }
  for (const key of [...CHECKED_KEYS, ...LIBRARY_KEYS]) {
    const value = has(key) ? entryOf(key)?.value : undefined;
    if (value === undefined) continue;
    found[key] = key.endsWith('_PATH') || key.endsWith('_FILE') ? resolve(cwd, value) : value;
  }
  return found;
}

function settingsOf(profile: ClientConfigProfile, note: Note): TemporalSettings {
  const { address, namespace = DEFAULT_NAMESPACE, apiKey, grpcMeta = {} } = profile;
  const tls = tlsOf(profile, note);
  // Temporal Cloud uses this header to find the owner of the API key.
  const forCloud: Record<string, string> =
    apiKey === undefined ? {} : { 'temporal-namespace': namespace };
  return { address, namespace, apiKey, tls, metadata: { ...forCloud, ...grpcMeta } };
}

function tlsOf(profile: ClientConfigProfile, note: Note): TemporalSettings['tls'] {
  const { clientCert, clientKey } = profile.tls ?? {};
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    const [given, missing] = clientCert ? ['certificate', 'key'] : ['key', 'certificate'];
    note(
      'TEMPORAL_TLS_CLIENT_CERT_PATH',
      `the client's TLS ${given} has no ${missing} to go with it`,
    );
  }
  try {
    const { tls } = toClientOptions(profile).connectionOptions;
    if (typeof tls !== 'object' || tls === null) return tls ?? false;
    const { serverNameOverride, serverRootCACertificate, clientCertPair } = tls;
    const found: TemporalTls = {};
    if (serverNameOverride) found.serverNameOverride = serverNameOverride;
    if (serverRootCACertificate)
      found.serverRootCACertificate = Buffer.from(serverRootCACertificate);
    if (clientCertPair) {
      const { crt, key } = clientCertPair;
      found.clientCertPair = { crt: Buffer.from(crt), key: Buffer.from(key) };
    }
    return Object.keys(found).length === 0 ? true : found;
  } catch (error) {
    note('TEMPORAL_TLS_CLIENT_CERT_PATH', `a TLS file ${reasonOf(error)}`);
    return true;
  }
}

function reasonOf(error: unknown): string {
  const { code, path, line } = error as NodeJS.ErrnoException & { line?: unknown };
  if (code !== undefined) return `cannot be read (${code}${path === undefined ? '' : `: ${path}`})`;
  return typeof line === 'number' ? `is no valid TOML, line ${line}` : 'is no valid configuration';
}
