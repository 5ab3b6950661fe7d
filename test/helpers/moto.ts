import { tmpdir } from 'node:os';
import { freePort } from '../../src/embedded/loopback.ts';
import { startChild } from '../../src/programs/child.ts';
import { fetchMoto } from '../../tools/local-aws/programs.ts';
import { until } from './processes.ts';

export interface Moto {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  close(): Promise<void>;
}

/** An EMR of another project. Its clusters start and end at once. It runs no steps, so the first step never ends. */
export async function startMoto(): Promise<Moto> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = await startChild(
    ['python3', '-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    {
      folder: tmpdir(),
      env: { ...process.env, PYTHONPATH: await fetchMoto(), PYTHONDONTWRITEBYTECODE: '1' },
      stdout: '/dev/null',
    },
  );
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-2000);
  });
  await until('moto answers', async () => {
    if (child.hasEnded()) throw new Error(`moto ended: ${output}`);
    return await fetch(endpoint).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return {
    endpoint,
    close: async () => {
      child.signal('SIGKILL');
      await child.ended;
    },
  };
}
