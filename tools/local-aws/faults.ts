/** Faults to inject, each this many times. `Infinity` means always. The counts may be changed at any time. */
export interface ActionFaults {
  /** Calls of an action that are answered with ThrottlingException and have no effect. */
  throttle?: Record<string, number>;
  /** Calls of an action that are done, but whose connection is cut before the answer. */
  loseAnswer?: Record<string, number>;
}

export interface EmrFaults extends ActionFaults {
  /** Clusters for which EC2 has no machines. */
  noCapacity?: number;
  /** Clusters whose bootstrap action 1 fails on the master. */
  bootstrapFailure?: number;
  /** Clusters that take this much longer to start. */
  slowStart?: { count: number; ms: number };
  /** Clusters whose spot request is never granted. The fleet's timeout action comes after `ms`. */
  spotNotGranted?: { count: number; ms: number };
  /** Steps that lose all core nodes this long after their start. */
  spotLoss?: { count: number; afterMs: number };
  /** Steps that start and never end by themselves. */
  hang?: number;
  /** Clusters whose HDFS has only this capacity. Its data cannot be read. */
  smallHdfs?: { count: number; bytes: number };
  /** Copy steps that are killed when their second file begins, or when they would end. */
  copyFailure?: number;
  /** Clusters on which other clients have this many steps PENDING, for `ms` from the first AddJobFlowSteps on. */
  stepsOpen?: { count: number; steps: number; ms: number };
  /** Steps whose logs are saved only when their cluster ends. */
  lateLogs?: number;
}

export interface ServerlessFaults extends ActionFaults {
  /** Job runs that start and never end by themselves. */
  hang?: number;
  /** Job runs that do the same, and reach their time limit as soon as they run. */
  timeLimit?: number;
}

/** Uses up a fault by one. @returns the fault, with its details if it has some. Undefined if none is left. */
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
