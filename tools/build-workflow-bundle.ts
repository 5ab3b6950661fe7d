import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const WORKFLOWS = resolve('src/workflows/index.ts');
const BUNDLE = resolve('dist/workflows/bundle.js');

/** Bundles all workflow code into one file at build time, so that a worker starts without webpack. */
export async function buildWorkflowBundle(): Promise<void> {
  if (!existsSync(WORKFLOWS)) {
    console.warn('No src/workflows/index.ts: the workflow bundle is left out.');
    return;
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: WORKFLOWS,
    logger: new DefaultLogger('WARN'),
  });
  mkdirSync(dirname(BUNDLE), { recursive: true });
  writeFileSync(BUNDLE, code);
}
