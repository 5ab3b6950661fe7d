import { createServer, type AddressInfo, type Server } from 'node:net';

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
