import type { EmrApi } from '../emr/api.ts';
import type { ActivityDeps } from './deps.ts';

/** What activities of EMR need. */
export type EmrDeps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr'> & {
  /** For tests: EMR as something else says it is. */
  emrApi?: () => EmrApi;
};
