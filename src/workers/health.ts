import { createServer, type Server } from 'node:http';
import { LonghaulError } from '../model/errors.ts';
import type { RunningWorker } from './run-worker.ts';

/** The answer of `/readyz`: 200 with `ready`, else 503. */
export interface Readiness {
  status: 'starting' | 'ready' | 'disconnected' | 'stopping';
  /** Task queues that are polled, and how many activities of each are in work. */
  queues: { name: string; state: string; activities: number }[];
}

/** Temporal answers in milliseconds; a prober waits a second, as a rule. */
const TEMPORAL_TIMEOUT_MS = 900;

/**
 * Liveness and readiness of a worker over HTTP: `/livez` while the process can answer at all, `/readyz` while it
 * polls and Temporal answers. It serves nothing else.
 */
export class Health {
  readonly #server: Server;
  #running: RunningWorker | undefined;
  #isStopping = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param address `host:port`. @throws LonghaulError CONFIG_INVALID where nothing can listen there. */
  static async serve(address: string): Promise<Health> {
    const server = createServer((request, response) => {
      void health.#answer(request.url ?? '/').then(({ status, body }) => {
        response.writeHead(status, {
          'content-type': 'application/json',
          'cache-control': 'no-store',
        });
        response.end(`${JSON.stringify(body)}\n`);
      });
    });
    const health = new Health(server);
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at).replaceAll(/[[\]]/g, '');
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const message = `Health cannot be served at WORKER_HEALTH_ADDRESS ${address}: ${error.code}.`;
        reject(new LonghaulError('CONFIG_INVALID', message, {}, { cause: error }));
      });
      server.listen(Number(address.slice(at + 1)), host, resolve);
    });
    return health;
  }

  started(running: RunningWorker): void {
    this.#running = running;
  }

  stopping(): void {
    this.#isStopping = true;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(url: string): Promise<{ status: number; body: object }> {
    const path = url.replace(/\?.*$/s, '');
    if (path === '/livez') return { status: 200, body: { status: 'alive' } };
    if (path !== '/readyz') return { status: 404, body: { error: 'Ask for /livez or /readyz.' } };
    const readiness = await this.#readiness();
    return { status: readiness.status === 'ready' ? 200 : 503, body: readiness };
  }

  async #readiness(): Promise<Readiness> {
    const running = this.#running;
    const queues = (running?.workers ?? []).map((worker) => ({
      name: worker.options.taskQueue,
      state: worker.getState().toLowerCase(),
      activities: worker.getStatus().numInFlightActivities,
    }));
    if (this.#isStopping) return { status: 'stopping', queues };
    if (!running || queues.some(({ state }) => state !== 'running')) {
      return { status: 'starting', queues };
    }
    return { status: (await answers(running)) ? 'ready' : 'disconnected', queues };
  }
}

/** A call that needs no permission. */
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
