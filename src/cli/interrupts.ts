import { exitCodeOf, LonghaulError } from '../model/errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * While `work` goes on, the first Ctrl-C aborts its signal, so that it can end in order; the second one leaves
 * at once.
 * @param what changes nothing: where it ends because of the first, "what was cancelled" is the error.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  what?: string,
): Promise<T> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(exitCodeOf('CANCELLED'));
    interrupt.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (what === undefined || !interrupt.signal.aborted) throw error;
    const hint = 'Nothing was changed; run the command again.';
    throw new LonghaulError('CANCELLED', `${what} was cancelled.`, { hint });
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}
