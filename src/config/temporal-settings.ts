import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConnectionOptions } from '@temporalio/client';
import {
  loadClientConfig,
  loadClientConfigProfile,
  toClientOptions,
  type ClientConfigProfile,
} from '@temporalio/envconfig';
import type { EnvFile } from './env-file.ts';
import { shown, type Note } from './problems.ts';

/** The keys of Temporal's own environment configuration that are no settings of Longhaul. Its library checks them. */
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
];
/** With the settings of Longhaul that the library knows too, and the folders in which it looks for temporal.toml. */
const OFFICIAL_KEYS = new Set([
  ...LIBRARY_KEYS,
  ...['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_API_KEY', 'TEMPORAL_TLS'],
  ...['HOME', 'XDG_CONFIG_HOME', 'APPDATA'],
]);

/** The prefix of keys for headers of all requests. The name of the header follows it. */
export const GRPC_META_PREFIX = 'TEMPORAL_GRPC_META_';

export interface TemporalSources {
  /** The keys that are set. A setting of Longhaul is among them only if it has passed its check. */
  entries: EnvFile['entries'];
  /** Absolute path from which relative paths start. */
  cwd: string;
  note: Note;
}

/**
 * Reads how to reach Temporal: the TEMPORAL_ settings, which replace those of a chosen profile. If no setting chooses a
 * profile, no temporal.toml is read. Otherwise another tool's file would make commands leave the embedded server.
 */
export function readTemporal({ entries, cwd, note }: TemporalSources): TemporalSettings {
  const overrideEnvVars = official(entries, cwd);
  const chosen = entries.has('TEMPORAL_PROFILE') || entries.has('TEMPORAL_CONFIG_FILE');
  if (!chosen) {
    if (entries.has('TEMPORAL_API_KEY') && !entries.has('TEMPORAL_ADDRESS')) {
      const needed = 'a TEMPORAL_ADDRESS, or a TEMPORAL_PROFILE, to go with it';
      note(`TEMPORAL_API_KEY needs ${needed}`, 'TEMPORAL_API_KEY');
    }
    return settingsOf(loadClientConfigProfile({ overrideEnvVars, disableFile: true }), note);
  }
  const profile = chosenProfile(overrideEnvVars, note);
  if (profile && profile.address === undefined) {
    const name = shown(overrideEnvVars['TEMPORAL_PROFILE'] ?? 'default');
    const missing = 'has no address, and TEMPORAL_ADDRESS is not set';
    note(`the profile ${name} ${missing}`, 'TEMPORAL_PROFILE');
  }
  return settingsOf(profile ?? {}, note);
}

function official(entries: EnvFile['entries'], cwd: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, { value }] of entries) {
    if (key.startsWith(GRPC_META_PREFIX)) found[key] = value;
    if (!OFFICIAL_KEYS.has(key)) continue;
    found[key] = /_(?:PATH|FILE)$/.test(key) ? resolve(cwd, value) : value;
  }
  return found;
}

/** Returns undefined if there is a problem. No message holds text of the file, because it may hold an API key. */
function chosenProfile(
  overrideEnvVars: Record<string, string>,
  note: Note,
): ClientConfigProfile | undefined {
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
    note(`there is no profile ${shown(name)} in ${file}: ${others}`, 'TEMPORAL_PROFILE');
  } catch (error) {
    note(`${file} ${reasonOf(error)}`, 'TEMPORAL_CONFIG_FILE');
  }
  return undefined;
}

export type TemporalSettings = ReturnType<typeof settingsOf>;

function settingsOf(profile: ClientConfigProfile, note: Note) {
  const { address, namespace = 'default', apiKey, grpcMeta = {} } = profile;
  // Temporal Cloud uses this header to find the owner of the API key.
  const forCloud: Record<string, string> =
    apiKey === undefined ? {} : { 'temporal-namespace': namespace };
  return {
    /** `host:port`. Undefined means the embedded server. */
    address,
    namespace,
    apiKey,
    tls: tlsOf(profile, note),
    /** Headers for all requests. */
    metadata: { ...forCloud, ...grpcMeta },
  };
}

function tlsOf(profile: ClientConfigProfile, note: Note): NonNullable<ConnectionOptions['tls']> {
  const { clientCert, clientKey } = profile.tls ?? {};
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    const [given, missing] = clientCert ? ['certificate', 'key'] : ['key', 'certificate'];
    note(
      `the client's TLS ${given} has no ${missing} to go with it`,
      'TEMPORAL_TLS_CLIENT_CERT_PATH',
    );
  }
  try {
    return toClientOptions(profile).connectionOptions.tls ?? false;
  } catch (error) {
    note(`a TLS file ${reasonOf(error)}`, 'TEMPORAL_TLS_CLIENT_CERT_PATH');
    return true;
  }
}

function reasonOf(error: unknown): string {
  const { code, path, line } = error as NodeJS.ErrnoException & { line?: unknown };
  if (code !== undefined) return `cannot be read (${code}${path === undefined ? '' : `: ${path}`})`;
  return typeof line === 'number' ? `is no valid TOML, line ${line}` : 'is no valid configuration';
}
