import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installer } from '../programs/locate.ts';
import type { Pin } from '../programs/pins.ts';
import { FETCH_TIMEOUT_MS, makeWhole, PACKAGE_ROOT } from '../programs/tools-folder.ts';

/**
 * The SDK's own download. The SDK only fetches a program in order to start it, so it is started for a moment;
 * in a process of its own, because it claims the one SDK runtime that a process can have.
 */
export function sdkInstaller({ version }: Pin): Installer {
  return {
    name: "Temporal SDK's download",
    install: async (path, signal) => {
      await makeWhole(path, async (scratch) => {
        const args = ['--input-type=module', '--eval', SDK_DOWNLOAD, scratch, `v${version}`];
        await promisify(execFile)(process.execPath, args, {
          cwd: PACKAGE_ROOT,
          timeout: FETCH_TIMEOUT_MS,
          ...(signal ? { signal } : {}),
        });
        const names = await readdir(scratch);
        const program = names.find(
          (name) => name.startsWith('temporal-cli-') && !name.endsWith('.downloading'),
        );
        if (program === undefined) throw new Error('the download left no program');
        return join(scratch, program);
      });
    },
  };
}

const SDK_DOWNLOAD = `
import { TestWorkflowEnvironment } from '@temporalio/testing';
const [downloadDir, version] = process.argv.slice(-2);
const executable = { type: 'cached-download', downloadDir, version };
try {
  await (await TestWorkflowEnvironment.createLocal({ server: { executable } })).teardown();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
`;
