import { Worker } from 'node:worker_threads';

/**
 * The address of a script beside the module at `moduleUrl`, for a thread or a child process: `.ts` when this
 * runs from the sources, `.js` when it runs from the build (which does not rewrite such addresses).
 */
export function siblingScript(name: string, moduleUrl: string): URL {
  return new URL(`./${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl);
}

/**
 * A thread that runs a script beside the module at `moduleUrl`.
 * In development, Node 20 does not hand tsx on to threads: there it is loaded by hand.
 */
export function startThread(name: string, moduleUrl: string, workerData: unknown): Worker {
  const script = siblingScript(name, moduleUrl);
  if (script.pathname.endsWith('.js')) return new Worker(script, { workerData });
  const address = JSON.stringify(script.href);
  const bootstrap = `import('tsx/esm/api').then((tsx) => tsx.tsImport(${address}, ${address}))`;
  return new Worker(bootstrap, { eval: true, workerData });
}
