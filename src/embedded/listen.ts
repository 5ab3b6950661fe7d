import type { IncomingMessage } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';

/** This machine's own names, with any port (one that ssh forwards is another). */
const OWN_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/** Listens on 127.0.0.1: on the first port of the wanted that is free, else on any. @returns the port. */
export async function listenOn(server: Server, wanted: readonly number[]): Promise<number> {
  for (const port of wanted) if (await listens(server, port)) return portOf(server);
  if (!(await listens(server, 0))) throw new Error('The system has no free port on 127.0.0.1.');
  return portOf(server);
}

/** The port that `listenOn` would take; another program may take it before its user does. */
export async function freePort(wanted: readonly number[] = []): Promise<number> {
  const server = createServer();
  const port = await listenOn(server, wanted);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Whether a request came for this machine by name, and from no page of another site: a page of any site whose name was
 * pointed to this machine (DNS rebinding) can send requests to whatever listens here.
 */
export function isFromHere({ headers, url }: IncomingMessage): boolean {
  const { host = '', origin } = headers;
  if (!OWN_HOST.test(host) || !url?.startsWith('/')) return false;
  return origin === undefined || OWN_HOST.test(origin.replace(/^https?:\/\//, ''));
}

async function listens(server: Server, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const settle = (): void => {
      server.off('error', settle).off('listening', settle);
      resolve(server.listening);
    };
    server.on('error', settle).on('listening', settle).listen(port, '127.0.0.1');
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
