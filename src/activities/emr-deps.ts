import type { EmrApi } from '../emr/api.ts';
import type { ActivityDeps } from './deps.ts';

/** What activities of EMR need. */
export type EmrDeps = Pick<ActivityDeps, 'raw' | 'converted' | 'activity' | 'emr'> & {
  /** For tests: another API of EMR. */
  emrApi?: () => EmrApi;
};
