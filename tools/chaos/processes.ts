import { readdirSync, readFileSync } from 'node:fs';

/** The work of a process that belongs to the storm's folder. */
export type Role = 'command' | 'host' | 'temporal' | 'conversion' | 'origin' | 'gateway' | 'other';

export interface FolderProcess {
  pid: number;
  role: Role;
  /** Arguments of the process, to show to the user. */
  command: string;
}

/**
 * Living processes of /proc that have a folder in their arguments or environment, without this process. A storm never
 * hits a process of another lake.
 */
export function processesOf(folder: string): FolderProcess[] {
  const found: FolderProcess[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid) || pid === process.pid) continue;
    const command = read(pid, 'cmdline');
    if (!command.includes(folder) && !read(pid, 'environ').includes(folder)) continue;
    found.push({ pid, role: roleOf(command), command: command.trim() });
  }
  return found;
}

/** @returns false if the process has ended. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function roleOf(command: string): Role {
  if (/ server start-dev /.test(command) && !/^\S*\bsh -c/.test(command)) return 'temporal';
  if (/\/conversion\/child\.[jt]s/.test(command)) return 'conversion';
  if (/\/chaos\/origin\.ts/.test(command)) return 'origin';
  if (/^\S*versitygw /.test(command)) return 'gateway';
  const [, asked] = /\/cli\/main\.[jt]s (\w+)/.exec(command) ?? [];
  if (asked === undefined) return 'other';
  return COMMANDS.has(asked) ? 'command' : 'host';
}

/** Commands that the storm runs. Any other process of the CLI is one that a command left to work for it. */
const COMMANDS = new Set(['ingest', 'up', 'down', 'verify', 'sweep']);

/** Empty if the process has ended, is a zombie, or belongs to another user. */
function read(pid: number, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
