import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { isFromHere, listenOn } from './listen.ts';

export interface UiProxy {
  port: number;
  /** Where Temporal's Web UI is now. */
  target: { host: string; port: number } | undefined;
  close(): void;
}

/**
 * The Web UI on 127.0.0.1, on the first port of the wanted that is free, else on any. Temporal's own answers a page of
 * any site whose name was pointed to this machine (DNS rebinding), which could then start workflows. Here such a
 * request is refused, by the name that it came for and by the page that sent it.
 */
export async function openUiProxy(wanted: readonly number[]): Promise<UiProxy> {
  const proxy: UiProxy = { port: 0, target: undefined, close: () => void server.close() };
  const server = createServer((incoming, outgoing) => {
    if (!isFromHere(incoming)) return end(outgoing, 403, 'Open this page as http://localhost.');
    if (!proxy.target) return end(outgoing, 503, 'Temporal is not running at the moment.');
    return pass(incoming, outgoing, proxy.target);
  });
  // Downloads and slow uploads need no limit here.
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
