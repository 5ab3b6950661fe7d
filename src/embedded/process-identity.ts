import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process, told apart from a later one that was given the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Opaque: boot and start time. */
  startTime: string;
  hostname: string;
}

/** `elsewhere`: on another machine, so nobody here can tell; it counts as alive. */
export type Liveness = 'alive' | 'dead' | 'elsewhere';

export function livenessOf(identity: ProcessIdentity): Liveness {
  if (identity.hostname !== hostname()) return 'elsewhere';
  return startTimeOf(identity.pid) === identity.startTime ? 'alive' : 'dead';
}

export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, startTime: '', hostname: hostname() };
}

/** Undefined where no such process lives. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, hostname: hostname() };
}

export function isIdentity(
  fields: Record<string, unknown> | undefined,
): fields is Record<string, unknown> & ProcessIdentity {
  return (
    Number.isSafeInteger(fields?.['pid']) &&
    typeof fields?.['startTime'] === 'string' &&
    typeof fields['hostname'] === 'string'
  );
}

/** With its arguments, separated by blanks; undefined where no such process lives. */
export function commandLineOf(pid: number): string | undefined {
  if (startTimeOf(pid) === undefined) return undefined;
  if (process.platform !== 'linux') return ps(pid, 'command=');
  return readProc(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ');
}

/** Changes with every boot; empty where the system does not tell. */
export function bootId(): string {
  return readProc('/proc/sys/kernel/random/boot_id')?.slice(0, BOOT_ID_LENGTH) ?? '';
}

/** Enough of the UUID to tell boots apart, short enough for a file name. */
const BOOT_ID_LENGTH = 8;

function startTimeOf(pid: number): string | undefined {
  return process.platform === 'linux' ? linuxStartTime(pid) : portableStartTime(pid);
}

function linuxStartTime(pid: number): string | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The command in parentheses may hold blanks and parentheses itself. After it: state is field 3, start time 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return isDead(fields[0]) ? undefined : `${bootId()}.${fields[19] ?? ''}`;
}

function portableStartTime(pid: number): string | undefined {
  const [state, ...startTime] = ps(pid, 'stat=,lstart=')?.trim().split(/\s+/) ?? [];
  return isDead(state) ? undefined : startTime.join('_');
}

/** A zombie holds nothing any more; in a container, nobody may ever reap it. */
function isDead(state: string | undefined): boolean {
  return state === undefined || state === '' || /^[ZX]/.test(state);
}

function ps(pid: number, format: string): string | undefined {
  try {
    // A fixed environment: the start time's text would change with the caller's locale and time zone.
    const env = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' };
    const args = ['-ww', '-o', format, '-p', String(pid)];
    return execFileSync('ps', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
