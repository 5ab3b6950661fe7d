/**
 * The catalogue of everything that can go wrong and that a user may see.
 *
 * A code says what happened; its class says whether a retry helps and how the CLI exits. Nothing else
 * in the code decides retryability: activities map these errors to Temporal's failures in one place.
 */
export const ERROR_CLASSES = {
  internal: { retryable: true, exitCode: 1 },
  usage: { retryable: false, exitCode: 2 },
  /** The publisher's side answers badly for now: waiting may help. */
  unavailable: { retryable: true, exitCode: 3 },
  /** The publisher's side refuses, or the address is wrong: waiting will not help. */
  refused: { retryable: false, exitCode: 4 },
  /** The publisher's file is not CSV that can be read without guessing. */
  content: { retryable: false, exitCode: 5 },
  /** The lake's own disk or bucket. */
  storage: { retryable: false, exitCode: 6 },
  /** The bucket cannot be reached or answers badly for now: waiting may help. */
  'storage-unavailable': { retryable: true, exitCode: 6 },
  /** A converter failed, or its output does not balance with the source. */
  conversion: { retryable: false, exitCode: 7 },
  /** Everything is ready, but a person should look before it is published. */
  held: { retryable: false, exitCode: 8 },
  /** Temporal cannot be reached or started. */
  orchestration: { retryable: true, exitCode: 9 },
  /** The EMR cluster, or a step on it, failed or cannot be had. */
  cluster: { retryable: false, exitCode: 10 },
  /** EMR cannot be reached or answers badly for now: waiting may help. */
  'cluster-unavailable': { retryable: true, exitCode: 10 },
  cancelled: { retryable: false, exitCode: 130 },
} as const;

export type ErrorClass = keyof typeof ERROR_CLASSES;
