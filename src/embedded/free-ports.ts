import { createServer, type Server } from 'node:net';

/** Temporal listens for gRPC on `port` and serves its Web UI on `uiPort`. */
export interface TemporalPorts {
  port: number;
  uiPort: number;
}

/**
 * The first of the wishes of which both ports are free, else two that the system picks; a wish of 0 is any port.
 * Only loopback.
 */
export async function freePorts(wishes: readonly TemporalPorts[]): Promise<TemporalPorts> {
  for (const { port, uiPort } of wishes) {
    const free = await tryPorts(port, uiPort);
    if (free) return free;
  }
  const picked = await tryPorts(0, 0);
  if (!picked) throw new Error('The system has no two free ports on 127.0.0.1.');
  return picked;
}

async function tryPorts(port: number, uiPort: number): Promise<TemporalPorts | undefined> {
  const first = await listen(port);
  // Both at once: the system would else pick the same port twice.
  const second = first && (await listen(uiPort));
  const ports = first && second && { port: portOf(first), uiPort: portOf(second) };
  await Promise.all([first, second].map(async (each) => await close(each)));
  return ports;
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function close(server: Server | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    if (server) server.close(() => resolve());
    else resolve();
  });
}
