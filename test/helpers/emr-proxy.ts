import { createServer, request as forward, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface EmrProxy {
  endpoint: string;
  /**
   * Calls `act` when EMR has done the next request of this action, and then cuts the connection. The caller gets no
   * answer. Resolves after `act`.
   */
  afterNext(action: string, act: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

interface Trap {
  action: string;
  spring: () => Promise<void>;
}

/** A loopback proxy in front of a local EMR. The client's signature covers the Host header, so the proxy keeps it. */
export async function startEmrProxy(upstream: string): Promise<EmrProxy> {
  const { hostname, port } = new URL(upstream);
  let trap: Trap | undefined;
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const sent = forward({ hostname, port, method, path: url, headers }, (answer) => {
      const set = trap;
      if (!set || actionOf(incoming) !== set.action) {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
        return;
      }
      trap = undefined;
      answer.resume();
      void set.spring().finally(() => outgoing.destroy());
    });
    sent.on('error', () => outgoing.destroy());
    incoming.pipe(sent);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    afterNext: async (action, act) => {
      await new Promise<void>((resolve, reject) => {
        trap = { action, spring: async () => await act().then(resolve, reject) };
      });
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Returns `RunJobFlow` for `ElasticMapReduce.RunJobFlow`. */
function actionOf({ headers }: IncomingMessage): string | undefined {
  return String(headers['x-amz-target'] ?? '').split('.')[1];
}
