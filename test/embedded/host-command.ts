import { fileURLToPath } from 'node:url';
import type { HostCommand } from '../../src/embedded/join.ts';

/** The command that starts the tests' own host, `host-entry.ts`. */
export function hostCommand(stateDir: string, ...args: string[]): HostCommand {
  const entry = fileURLToPath(new URL('./host-entry.js', import.meta.url));
  return { entry, args: [stateDir, ...args] };
}
