import { exitCodeOf } from '../model/errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * While `work` goes on, the first Ctrl-C aborts its signal, so that it can end in order; the second one leaves
 * at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodeOf('CANCELLED'));
    interrupt.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(interrupt.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}
