/** The host process of the tests: `host-entry.ts STATE_DIR [temporal-cli|worker-fails|settings …]`. */
import { runHost } from '../../src/embedded/host.ts';

const [stateDir = '', mode = '', detail = ''] = process.argv.slice(2);

await runHost({
  stateDir,
  version: '1.0.0',
  runtimeDir: process.env['TMPDIR'],
  ...(mode === 'settings' && { settings: JSON.parse(detail) as Record<string, string> }),
  temporal: {
    cli: mode === 'temporal-cli' ? detail : process.env['TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
    // No fixed ports: other servers may run on this machine. The host takes any free ports.
    ports: { server: [], ui: [] },
  },
  runWorker: async ({ signal, ready }) => {
    if (mode === 'worker-fails') throw new Error('no such bundle');
    ready();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
  },
}).then(
  () => process.exit(0),
  () => process.exit(1),
);
