import type { Logger } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { Health } from './health.ts';
import { runWorker } from './run-worker.ts';
import { installTelemetry } from './telemetry.ts';

export interface ServeOptions {
  settings: Settings;
  address: string;
  namespace: string;
  logger: Logger;
  /** The first signal: stop in order. */
  signal: AbortSignal;
}

/** `longhaul worker`: a worker with its logs, metrics and health, until the signal. */
export async function serveWorker(options: ServeOptions): Promise<void> {
  const { settings, address, namespace, logger, signal } = options;
  installTelemetry(settings, logger);
  const { healthAddress, metricsAddress, graceMs } = settings.worker;
  const health = healthAddress === undefined ? undefined : await Health.serve(healthAddress);
  signal.addEventListener('abort', () => {
    health?.stopping();
    const grace = `within ${graceMs / 1000} s, else it writes its checkpoint`;
    logger.info(`Stopping: work under way may end ${grace}. A second signal ends at once.`);
  });
  try {
    await runWorker({
      settings,
      address,
      namespace,
      signal,
      ready: (running) => {
        health?.started(running);
        if (healthAddress !== undefined) logger.info(`Health at http://${healthAddress}/readyz`);
        if (metricsAddress !== undefined)
          logger.info(`Metrics at http://${metricsAddress}/metrics`);
        const queue = running.workers[0]?.options.taskQueue;
        logger.info(`Working for ${address}, namespace ${namespace}, task queue ${queue}.`);
      },
    });
    logger.info('Stopped.');
  } finally {
    await health?.close();
  }
}
