/** What may go wrong on request, each this often, then no more. `Infinity` is always. It may be changed at any time. */
export interface ActionFaults {
  /** Calls of an action that are answered with ThrottlingException, before anything is done. */
  throttle?: Record<string, number>;
  /** Calls of an action that are done, and whose connection is cut before the answer. */
  loseAnswer?: Record<string, number>;
}

export interface EmrFaults extends ActionFaults {
  /** Clusters for which EC2 has no machines. */
  noCapacity?: number;
  /** Clusters whose bootstrap action 1 fails on the master. */
  bootstrapFailure?: number;
  /** Clusters that take this much longer to start. */
  slowStart?: { count: number; ms: number };
  /** Clusters whose spot request is never granted: the fleet's timeout action comes after `ms`. */
  spotNotGranted?: { count: number; ms: number };
  /** Steps in whose middle all core nodes are lost, this long after their start. */
  spotLoss?: { count: number; afterMs: number };
  /** Steps that start and never end by themselves. */
  hang?: number;
  /** Clusters whose HDFS holds so little; what it holds cannot be read. */
  smallHdfs?: { count: number; bytes: number };
  /** Copy steps that are killed when their second file begins, or when they would end. */
  copyFailure?: number;
  /** Clusters where other clients have so many steps PENDING, for so long from the first AddJobFlowSteps on. */
  stepsOpen?: { count: number; steps: number; ms: number };
  /** Steps whose logs come with the end of their cluster only. */
  lateLogs?: number;
}

export interface ServerlessFaults extends ActionFaults {
  /** Job runs that start and never end by themselves. */
  hang?: number;
  /** Job runs that do the same, and are at their time limit as soon as they run. */
  timeLimit?: number;
}

/** Uses a fault up by one. @returns it, with its details where it has some; undefined where none is left. */
export function takeFault<Faults extends object, Key extends keyof Faults>(
  faults: Faults,
  key: Key,
): NonNullable<Faults[Key]> | undefined {
  const fault = faults[key] as number | { count: number } | undefined;
  const left = typeof fault === 'object' ? fault.count : (fault ?? 0);
  if (left <= 0) return undefined;
  if (typeof fault === 'object') fault.count -= 1;
  else Object.assign(faults, { [key]: left - 1 });
  return fault as NonNullable<Faults[Key]>;
}
