import type { ActivityDeps } from '../activities/deps.ts';
import { addressSecrets } from '../config/address-secrets.ts';
import { ofThisProcess } from '../config/load-config.ts';
import type { Settings } from '../config/settings.ts';
import { openLake } from '../storage/open-lake.ts';

/** What the activities of this worker touch: its one lake, and the settings. */
export async function openDeps(settings: Settings): Promise<ActivityDeps> {
  const { http, addresses, duckdb, spark, activity, emr, glueDatabase, datasetsFile } = settings;
  return {
    ...(await openLake(settings)),
    ...{ http, addresses, duckdb, spark, activity, emr, glueDatabase },
    secretsOf: addressSecrets(datasetsFile, ofThisProcess()),
  };
}
