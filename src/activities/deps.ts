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

/** Everything that activities use. The worker builds it once. */
export interface ActivityDeps {
  raw: Store;
  converted: Store;
  http: HttpSettings;
  addresses: AddressPolicy;
  /** Values of the variables in an address. They are never part of an input, a result or a heartbeat. */
  secretsOf: AddressSecrets;
  duckdb: DuckDbSettings;
  spark: SparkSettings;
  activity: ActivitySettings;
  emr: EmrSettings;
  glueDatabase: string | undefined;
}
