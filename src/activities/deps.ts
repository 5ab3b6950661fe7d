import type { AddressSecrets } from '../config/address-secrets.ts';
import type {
  AddressPolicy,
  ActivitySettings,
  DuckDbSettings,
  EmrSettings,
  HttpSettings,
  SparkSettings,
} from '../config/settings.ts';
import type { Store } from '../storage/store.ts';

/** Everything that activities touch, built once by the worker: one record of named ports. */
export interface ActivityDeps {
  raw: Store;
  converted: Store;
  http: HttpSettings;
  addresses: AddressPolicy;
  /** What the variables in an address stand for; never part of an input, a result or a heartbeat. */
  secretsOf: AddressSecrets;
  duckdb: DuckDbSettings;
  spark: SparkSettings;
  activity: ActivitySettings;
  emr: EmrSettings;
  glueDatabase: string | undefined;
}
