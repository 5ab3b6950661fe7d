import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../src/embedded/listen.ts';
import { fetchMoto } from '../../tools/local-aws/moto.ts';
import { until } from './processes.ts';

export interface Moto {
  /** `http://127.0.0.1:<port>`. */
  endpoint: string;
  close(): Promise<void>;
}

/** Somebody else's EMR: its clusters start and end at once; their first step runs for ever, since nothing runs it. */
export async function startMoto(): Promise<Moto> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    env: { ...process.env, PYTHONPATH: await fetchMoto(), PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  await until('moto answers', async () => {
    if (child.exitCode !== null) throw new Error(`moto ended: ${said}`);
    return await fetch(endpoint).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return {
    endpoint,
    close: async () => {
      child.kill('SIGKILL');
      await exit;
    },
  };
}
