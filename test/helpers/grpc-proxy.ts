import { once } from 'node:events';
import {
  connect,
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A gRPC status that the proxy answers in place of the server. */
interface Refusal {
  /** gRPC code: 7 is PERMISSION_DENIED, 12 is UNIMPLEMENTED, 16 is UNAUTHENTICATED. */
  code: number;
  message: string;
}

interface ProxyOptions {
  /** `host:port` of the Temporal server behind the proxy. */
  target: string;
  tls?: { key: string; cert: string; ca?: string };
  /** Decides by the last part of the method's name (`DescribeNamespace`) and the request's headers. */
  refuse?: (method: string, headers: IncomingHttpHeaders) => Refusal | undefined;
}

/** A gRPC proxy on loopback before a Temporal server. It can use TLS, record headers, refuse calls and go away. */
export interface GrpcProxy {
  /** `localhost:port`, because the certificates of the tests are for `localhost`. */
  address: string;
  seen: { method: string; headers: IncomingHttpHeaders }[];
  /** Cuts all connections and accepts no new ones until `back`. */
  goAway(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

export async function startGrpcProxy(options: ProxyOptions): Promise<GrpcProxy> {
  const seen: GrpcProxy['seen'] = [];
  const upstream = connect(`http://${options.target}`);
  upstream.on('error', () => undefined);
  const onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    seen.push({ method, headers });
    const refusal = options.refuse?.(method, headers);
    stream.on('error', () => undefined);
    if (refusal) refuse(stream, refusal);
    else forward(stream, headers);
  };
  const forward = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const request = upstream.request({
      ...headers,
      ':scheme': 'http',
      ':authority': options.target,
    });
    request.on('error', () => stream.close());
    stream.on('close', () => request.close());
    let trailers: IncomingHttpHeaders = {};
    request.on('trailers', (found) => (trailers = found));
    request.on('response', (answer, flags) => {
      // Flag 1 is END_STREAM: the answer has no body.
      const hasEnded = (flags & 1) !== 0;
      if (stream.destroyed) return;
      stream.respond(answer, { waitForTrailers: !hasEnded, endStream: hasEnded });
      if (hasEnded) return;
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      request.pipe(stream);
    });
    stream.pipe(request);
  };
  const sessions = new Set<ServerHttp2Session>();
  const listen = async (port: number): Promise<Http2Server> => {
    const { tls } = options;
    const server = tls
      ? createSecureServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: true })
      : createServer();
    server.on('stream', onStream);
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => undefined);
      session.once('close', () => sessions.delete(session));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const goAway = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const session of sessions) session.destroy();
    await closed;
  };
  return {
    address: `localhost:${port}`,
    seen,
    goAway,
    back: async () => {
      server = await listen(port);
    },
    close: async () => {
      if (server.listening) await goAway();
      upstream.destroy();
    },
  };
}

function refuse(stream: ServerHttp2Stream, { code, message }: Refusal): void {
  const headers = { ':status': 200, 'content-type': 'application/grpc' };
  stream.respond({ ...headers, 'grpc-status': code, 'grpc-message': message }, { endStream: true });
}
