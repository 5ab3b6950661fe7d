import { readdirSync, readFileSync } from 'node:fs';

/** What a process of the storm's folder does. */
export type Role = 'command' | 'host' | 'temporal' | 'conversion' | 'origin' | 'gateway' | 'other';

export interface FolderProcess {
  pid: number;
  role: Role;
  /** Its arguments, for people. */
  command: string;
}

/**
 * The living processes that have a folder in their arguments or their environment, as /proc has them: so nothing of
 * another lake is ever hit. This process is not among them.
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

/** False where the process is gone. */
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
  if (/\/duckdb\/child\.[jt]s/.test(command)) return 'conversion';
  if (/\/chaos\/origin\.ts/.test(command)) return 'origin';
  if (/^\S*versitygw /.test(command)) return 'gateway';
  const [, asked] = /\/cli\/main\.[jt]s (\w+)/.exec(command) ?? [];
  if (asked === undefined) return 'other';
  return COMMANDS.has(asked) ? 'command' : 'host';
}

/** What the storm asks for itself; any other process of the CLI is what a command left to work for it. */
const COMMANDS = new Set(['ingest', 'up', 'down', 'verify', 'sweep']);

/** Empty for a process that is gone, a zombie, or another user's. */
function read(pid: number, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
