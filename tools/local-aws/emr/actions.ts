import { clusterActions } from './cluster-actions.ts';
import type { Clusters } from './clusters.ts';
import { stepActions } from './step-actions.ts';

/** What an action answers: dates are Date; an empty answer is `{}`. */
export type Action = (input: never, clusters: Clusters) => object;

const ACTIONS: Readonly<Record<string, Action>> = { ...clusterActions, ...stepActions };

/** Undefined where this server has none of that name. */
export function actionOf(name: string): Action | undefined {
  return Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
}
