/**
 * What may go wrong on request, each this often, then no more. `Infinity` is always. It may be changed while the server
 * runs; what was used is subtracted.
 */
export interface EmrFaults {
  /** Calls of an action that are answered with ThrottlingException, before anything is done. */
  throttle?: Partial<Record<string, number>>;
  /** Calls of an action that are done, and whose connection is cut before the answer. */
  loseAnswer?: Partial<Record<string, number>>;
  /** Clusters for which EC2 has no machines. */
  noCapacity?: number;
  /** Clusters whose bootstrap action 1 fails on the master. */
  bootstrapFailure?: number;
  /** Clusters that take this much longer to start. */
  slowStart?: { count: number; ms: number };
  /** Clusters whose spot request is never granted: the fleet's timeout action, or after `ms` where it has none. */
  spotNotGranted?: { count: number; ms: number };
  /** Steps in whose middle all core nodes are lost, this long after their start. */
  spotLoss?: { count: number; afterMs: number };
  /** Steps that start and never end by themselves. */
  hang?: number;
  /** Clusters whose HDFS holds so little. */
  smallHdfs?: { count: number; bytes: number };
  /** Copy steps that are killed when their second file begins, or when they would end. */
  copyFailure?: number;
  /** Clusters where other clients have so many steps PENDING, for so long from the first AddJobFlowSteps on. */
  stepsOpen?: { count: number; steps: number; ms: number };
  /** Steps whose logs come with the end of their cluster only. */
  lateLogs?: number;
}

type Counted = {
  [Key in keyof EmrFaults]-?: NonNullable<EmrFaults[Key]> extends { count: number } ? Key : never;
}[keyof EmrFaults];
export type ActionFaults = Pick<EmrFaults, 'throttle' | 'loseAnswer'>;

/** Uses a fault up by one. @returns its details; undefined where none is left. */
export function takeFault<Key extends Counted>(
  faults: EmrFaults,
  key: Key,
): NonNullable<EmrFaults[Key]> | undefined {
  const fault: { count: number } | undefined = faults[key];
  if (!fault || fault.count <= 0) return undefined;
  fault.count -= 1;
  return fault as NonNullable<EmrFaults[Key]>;
}

export function takePlainFault<Key extends string>(
  faults: Partial<Record<Key, number>>,
  key: Key,
): boolean {
  const left = faults[key] ?? 0;
  if (left <= 0) return false;
  faults[key] = left - 1;
  return true;
}

export function takeActionFault(
  faults: ActionFaults,
  key: keyof ActionFaults,
  action: string,
): boolean {
  const counts = faults[key] ?? {};
  const left = counts[action] ?? 0;
  if (left <= 0) return false;
  counts[action] = left - 1;
  return true;
}
