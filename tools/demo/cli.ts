import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The file that `npx longhaul` runs. */
export const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

/**
 * Runs the real CLI in this terminal, with progress bars and Ctrl-C.
 * @returns its exit code.
 */
export async function longhaul(args: string[], env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  // Ctrl-C reaches the child too. The child cancels its run, and this process waits for that.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
    });
  } finally {
    process.off('SIGINT', wait);
  }
}
