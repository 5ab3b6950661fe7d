import type { Engine } from '../model/dataset.ts';

/** Every setting, checked and typed: what `.env` and the environment say. */
export interface Settings {
  /** Absolute. Holds the lake and, in `.longhaul/`, the embedded server's state. */
  dataDir: string;
  /** Absolute: `<dataDir>/takehome-raw`. */
  rawDir: string;
  /** Absolute: `<dataDir>/takehome-converted`. */
  convertedDir: string;
  /** Absolute: `<dataDir>/.longhaul`. */
  stateDir: string;
  /** Absolute path of datasets.yaml. */
  datasetsFile: string;
  temporal: TemporalSettings;
  /** The Temporal program for the embedded server; undefined: `temporal` on the PATH, else fetched. */
  temporalCli: string | undefined;
  engine: Engine;
  /** Sources of one run in work at once. */
  sourceConcurrency: number;
  duckdb: DuckDbSettings;
  http: HttpSettings;
  addresses: AddressPolicy;
  activity: ActivitySettings;
}

export interface TemporalSettings {
  /** `host:port`; undefined means the embedded server. */
  address: string | undefined;
  namespace: string;
  apiKey: string | undefined;
  tls: boolean;
}

export interface DuckDbSettings {
  /** As DuckDB writes it: `1GiB`. */
  memoryLimit: string;
  threads: number;
}

export interface HttpSettings {
  connectTimeoutMs: number;
  headersTimeoutMs: number;
  /** No byte for this long fails the attempt. */
  stallTimeoutMs: number;
}

/** What a worker may read: an address comes from a stranger. */
export interface AddressPolicy {
  allowFile: boolean;
  /** Loopback, RFC 1918, unique local. Link-local is refused always. */
  allowPrivate: boolean;
}

export interface ActivitySettings {
  /** After this long without a heartbeat Temporal gives the work to another attempt. */
  heartbeatTimeoutMs: number;
  /** How long a source that makes no progress is tried again before its last error counts. */
  retryForMs: number;
}
