import type {
  AddressPolicy,
  ActivitySettings,
  DuckDbSettings,
  HttpSettings,
} from '../config/settings.ts';
import type { Store } from '../storage/store.ts';

/** Everything that activities touch, built once by the worker: one record of named ports. */
export interface ActivityDeps {
  raw: Store;
  converted: Store;
  http: HttpSettings;
  addresses: AddressPolicy;
  duckdb: DuckDbSettings;
  activity: ActivitySettings;
  /** The task queue of the workers that share this disk. */
  hostQueue: string;
}
