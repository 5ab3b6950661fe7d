import { Runtime } from '@temporalio/worker';

/** Cheap looks (a listing each), but not for every look at the metrics page. */
const INTERVAL_MS = 60_000;

export interface Watch {
  /** Something may have changed. */
  lookSoon(): void;
  stop(): Promise<void>;
}

/**
 * Looks once a minute, one look at a time, while a worker runs; a look that fails is logged and made again.
 * @param what the log says is unknown then.
 * @param options.waiting the first look is not before `lookSoon`.
 */
export function watchEveryMinute(
  what: string,
  look: (isStopped: () => boolean) => Promise<void>,
  { waiting = false }: { waiting?: boolean } = {},
): Watch {
  const { logger } = Runtime.instance();
  let running = Promise.resolve();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const lookSoon = (): void => {
    if (stopped) return;
    timer ??= setInterval(lookSoon, INTERVAL_MS);
    running = running
      .then(async () => await look(() => stopped))
      .catch((error: unknown) => {
        logger.warn(`${what} cannot be read`, { error });
      });
  };
  if (!waiting) lookSoon();
  return {
    lookSoon,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
