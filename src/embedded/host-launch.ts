import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { storageError } from '../storage/disk-errors.ts';
import { makeStateDir, rotateLog, statePaths } from './state-files.ts';

export interface HostCommand {
  /** Path of the module that Node is to run. */
  entry: string;
  args: readonly string[];
}

export interface StartedHost {
  pid: number;
  ended(): boolean;
  /** It ended by itself, with another code than 0: another start would end like it. */
  failed(): boolean;
}

/** Starts a host that outlives this process and its terminal; its output goes to its log. */
export async function startHost(
  stateDir: string,
  { entry, args }: HostCommand,
): Promise<StartedHost> {
  const { hostLog } = statePaths(stateDir);
  await makeStateDir(stateDir);
  await rotateLog(hostLog);
  const log = await open(hostLog, 'a', 0o600).catch((error: unknown) => {
    throw storageError(error, hostLog);
  });
  try {
    const child = spawn(process.execPath, [...inheritedFlags(process.execArgv), entry, ...args], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
    return { pid: child.pid ?? 0, ended, failed: () => (child.exitCode ?? 0) !== 0 };
  } finally {
    await log.close();
  }
}

/** With the loader that this process runs under (tsx), without what concerns this process alone. */
function inheritedFlags(flags: readonly string[]): string[] {
  return flags.filter((flag) => !/^--(?:inspect|test|watch|cpu-prof|heap-prof)/.test(flag));
}
