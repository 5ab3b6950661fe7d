import { LonghaulError } from '../../model/errors.ts';

/** An address has the form of a portal's, and its host is no such portal: it is the address of a file. */
export class NoSuchPortal extends Error {}

/** Short enough for a restart, long enough not to ask often in a night of maintenance. */
const MAINTENANCE_SECONDS = 60;

/**
 * Asks a host that has answered as a portal before: a page of its maintenance does not make it another host.
 * @throws LonghaulError SOURCE_UNAVAILABLE where it does not answer so now.
 */
export async function stillPortal<T>(shown: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof NoSuchPortal)) throw error;
    const what = `${shown} has answered as a portal before, and does not now.`;
    throw new LonghaulError('SOURCE_UNAVAILABLE', what, { retryAfterSeconds: MAINTENANCE_SECONDS });
  }
}
