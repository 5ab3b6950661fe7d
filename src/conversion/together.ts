import pMap from 'p-map';

/** Number of small S3 requests at once. Each waits mostly for S3, so more than one pays. */
export const SMALL_REQUESTS = 16;

export interface Together {
  signal: AbortSignal;
  /** Number of items in work at once. */
  concurrency: number;
}

/**
 * Does work on each item. The first failure stops the others. It is thrown when the last one has ended.
 * @throws the signal's reason when it aborts.
 */
export async function together<Item, Result>(
  items: readonly Item[],
  { signal, concurrency }: Together,
  work: (item: Item, index: number, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failing = new AbortController();
  const stop = AbortSignal.any([signal, failing.signal]);
  const run = async (item: Item, index: number): Promise<Result | undefined> => {
    try {
      stop.throwIfAborted();
      return await work(item, index, stop);
    } catch (error) {
      failing.abort(error);
      return undefined;
    }
  };
  const results = await pMap(items, run, { concurrency });
  stop.throwIfAborted();
  return results as Result[];
}
