import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';

/** This machine's own names, with any port, because ssh may forward another port. */
const OWN_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/** Listens on 127.0.0.1, on the first free port of `wanted`, else on any free port. @returns the port. */
export async function listenOn(server: Server, wanted: readonly number[]): Promise<number> {
  for (const port of wanted) if (await listens(server, port)) return portOf(server);
  if (!(await listens(server, 0))) throw new Error('The system has no free port on 127.0.0.1.');
  return portOf(server);
}

/** The port that `listenOn` would use. Another program may take the port before the caller does. */
export async function freePort(wanted: readonly number[] = []): Promise<number> {
  const server = createTcpServer();
  const port = await listenOn(server, wanted);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * True if a request names this machine and does not come from a page of another site. With DNS rebinding, a site's
 * owner points its name to this machine, so that pages of the site can send requests to programs here.
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

export interface UiProxy {
  port: number;
  /** Where Temporal's Web UI is now. */
  target: { host: string; port: number } | undefined;
  close(): void;
}

/**
 * A proxy of the Web UI on 127.0.0.1, on the first free port of `wanted`, else on any. Temporal's own server also
 * answers pages that use DNS rebinding, and they could start workflows. The proxy refuses requests that name another
 * host or come from a page of another site.
 */
export async function openUiProxy(wanted: readonly number[]): Promise<UiProxy> {
  const proxy: UiProxy = { port: 0, target: undefined, close: () => void server.close() };
  const server = createServer((incoming, outgoing) => {
    if (!isFromHere(incoming)) return end(outgoing, 403, 'Open this page as http://localhost.');
    if (!proxy.target) return end(outgoing, 503, 'Temporal is not running at the moment.');
    return pass(incoming, outgoing, proxy.target);
  });
  // The proxy sets no time limit, because downloads and uploads may be slow.
  server.requestTimeout = 0;
  proxy.port = await listenOn(server, wanted);
  return proxy;
}

function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: { host: string; port: number },
): void {
  const { method, url, headers } = incoming;
  const asked = request({ ...target, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  asked.on('error', () => {
    if (outgoing.headersSent) outgoing.destroy();
    else end(outgoing, 502, 'Temporal does not answer.');
  });
  outgoing.on('close', () => asked.destroy());
  incoming.pipe(asked);
}

function end(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
}
