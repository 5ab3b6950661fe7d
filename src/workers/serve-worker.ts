import type { Logger } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { runWorker, type RunningWorker } from './run-worker.ts';
import { installTelemetry } from './telemetry.ts';
import { createServer } from 'node:http';
import { LonghaulError } from '../model/errors.ts';

export interface ServeOptions {
  settings: Settings;
  address: string;
  namespace: string;
  logger: Logger;
  /** The first signal of the operating system: the worker stops in order. */
  signal: AbortSignal;
}

/** Runs `longhaul worker`, with logs, metrics and health, until the signal aborts. */
export async function serveWorker(options: ServeOptions): Promise<void> {
  const { settings, address, namespace, logger, signal } = options;
  installTelemetry(settings, logger);
  const { healthAddress, metricsAddress, graceMs } = settings.worker;
  const health = new Health();
  if (healthAddress !== undefined) await health.listen(healthAddress);
  signal.addEventListener('abort', () => {
    health.isStopping = true;
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
        health.running = running;
        if (healthAddress !== undefined) logger.info(`Health at http://${healthAddress}/readyz`);
        if (metricsAddress !== undefined)
          logger.info(`Metrics at http://${metricsAddress}/metrics`);
        const queue = running.workers[0]?.options.taskQueue;
        logger.info(`Working for ${address}, namespace ${namespace}, task queue ${queue}.`);
      },
    });
    logger.info('Stopped.');
  } finally {
    health.close();
  }
}

/** The answer of `/readyz`. The status is 200 if it is `ready`, otherwise 503. */
export interface Readiness {
  status: 'starting' | 'ready' | 'disconnected' | 'stopping';
  /** The polled task queues, and the number of activities that run for each. */
  queues: { name: string; state: string; activities: number }[];
}

/** Temporal answers in milliseconds. A health probe usually waits a second. */
const TEMPORAL_TIMEOUT_MS = 900;

/**
 * Serves liveness and readiness of a worker over HTTP. `/livez` answers while the process can answer at all. `/readyz`
 * is 200 while the worker polls and Temporal answers.
 */
class Health {
  readonly #server = createServer((request, response) => {
    void this.#answer(request.url ?? '/').then(({ status, body }) => {
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
      response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
    });
  });
  running: RunningWorker | undefined;
  isStopping = false;

  /** @param address `host:port`. @throws LonghaulError CONFIG_INVALID if the worker cannot listen there. */
  async listen(address: string): Promise<void> {
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at).replaceAll(/[[\]]/g, '');
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const message = `Health cannot be served at WORKER_HEALTH_ADDRESS ${address}: ${error.code}.`;
        reject(new LonghaulError('CONFIG_INVALID', message, {}, { cause: error }));
      });
      this.#server.listen(Number(address.slice(at + 1)), host, resolve);
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(url: string): Promise<{ status: number; body: object }> {
    const path = url.replace(/\?.*$/s, '');
    if (path === '/livez') return { status: 200, body: { status: 'alive' } };
    if (path !== '/readyz') return { status: 404, body: { error: 'Ask for /livez or /readyz.' } };
    const readiness = await this.#readiness();
    return { status: readiness.status === 'ready' ? 200 : 503, body: readiness };
  }

  async #readiness(): Promise<Readiness> {
    const running = this.running;
    const queues = (running?.workers ?? []).map((worker) => ({
      name: worker.options.taskQueue,
      state: worker.getState().toLowerCase(),
      activities: worker.getStatus().numInFlightActivities,
    }));
    if (this.isStopping) return { status: 'stopping', queues };
    if (!running || queues.some(({ state }) => state !== 'running')) {
      return { status: 'starting', queues };
    }
    return { status: (await answers(running)) ? 'ready' : 'disconnected', queues };
  }
}

/** Sends a request that needs no permission. */
async function answers({ connection }: RunningWorker): Promise<boolean> {
  try {
    const deadline = Date.now() + TEMPORAL_TIMEOUT_MS;
    await connection.withDeadline(deadline, async () => {
      await connection.workflowService.getSystemInfo({});
    });
    return true;
  } catch {
    return false;
  }
}
