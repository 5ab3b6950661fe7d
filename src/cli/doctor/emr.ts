import type { EmrSettings } from '../../config/settings.ts';
import { instanceHours } from '../../model/emr.ts';
import type { Check, Finding } from './check.ts';

/** Two requests, with their retries; the credentials may have to be asked for first. */
const EMR_LIMIT_MS = 60_000;
const COST = 'creating a cluster cannot be tried without cost';

/** @param emr where the configured engine is EMR; else nobody is asked. */
export function emrCheck(emr?: EmrSettings): Check {
  return {
    id: 'emr',
    title: 'EMR',
    limitMs: EMR_LIMIT_MS,
    run: async (signal) =>
      emr
        ? await look(emr, signal)
        : { status: 'unknown', found: 'not checked: only --engine emr needs it' },
  };
}

/** What a run reads. Throws EMR_FORBIDDEN, with the action that is denied, and the like. */
async function look(emr: EmrSettings, signal: AbortSignal): Promise<Finding> {
  // The SDK takes a while to load: only who uses EMR waits for it.
  const { createEmrApi } = await import('../../emr/api.ts');
  const { describeCluster, listOurClusters } = await import('../../emr/clusters.ts');
  const api = createEmrApi();
  const ours = await listOurClusters(api, signal);
  const open = `${ours.length} open cluster${ours.length === 1 ? '' : 's'} of Longhaul's`;
  const wanted = emr.clusterId ?? ours[0]?.id;
  if (wanted === undefined) return { status: 'ok', found: `answers; ${open}; ${COST}` };
  const { cluster } = await describeCluster(api, wanted, undefined, signal);
  const age = instanceHours({ ...cluster, instances: 1 }, Date.now()).toFixed(1);
  return {
    status: 'ok',
    found: `answers; ${open}; ${cluster.id} is ${cluster.state}, ${age} hours old; ${COST}`,
  };
}
