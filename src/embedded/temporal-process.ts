import { spawn } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TemporalPorts } from './free-ports.ts';
import { commandLineOf } from './process-identity.ts';
import { createFile, readFields, readText, replaceFile, statePaths } from './state-files.ts';

/**
 * One start of Temporal on the state folder's database. Two on one database would open it without complaint,
 * so a start can always be found again, however its starter died: `temporal.json` says, before the start, by
 * which file the process will announce itself; a shell writes its pid there, exclusively, and then becomes
 * Temporal. Whoever finds no such file creates it, and the shell gives up.
 */
export interface TemporalProcess extends TemporalPorts {
  pid: number;
  isAlive(): boolean;
  /** Ends when the process has; killed when it does not stop by itself. */
  stop(): Promise<void>;
}

/** Starts it in a process group of its own; it may still fail to come up. Only under the host's lock. */
export async function launchTemporal(
  stateDir: string,
  program: string,
  ports: TemporalPorts,
  startId: string,
): Promise<TemporalProcess> {
  const paths = statePaths(stateDir);
  await forgetLastStart(stateDir);
  await replaceFile(paths.temporal, JSON.stringify({ startId, ...ports }));
  const log = await open(paths.temporalLog, 'a');
  try {
    const args = ['-c', ANNOUNCE_AND_BECOME, 'longhaul', pidPath(stateDir, startId), program];
    const child = spawn('/bin/sh', [...args, ...serverArguments(paths.database, ports)], {
      cwd: stateDir,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return handleOf(stateDir, child.pid ?? 0, ports);
  } finally {
    await log.close();
  }
}

/** The process of the last start, if it still lives. Only under the host's lock. */
export async function findTemporal(stateDir: string): Promise<TemporalProcess | undefined> {
  const last = await lastStart(stateDir);
  if (!last) return undefined;
  const path = pidPath(stateDir, last.startId);
  // Created here, the file takes the start back: its shell, if it comes late, cannot announce itself.
  if (await createFile(path, REVOKED)) return undefined;
  const pid = Number(await readText(path));
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const temporal = handleOf(stateDir, pid, last);
  return temporal.isAlive() ? temporal : undefined;
}

/** The ports of the last start, so that the Web UI keeps its address. */
export async function lastPorts(stateDir: string): Promise<TemporalPorts | undefined> {
  return await lastStart(stateDir);
}

const REVOKED = 'revoked';
const ANNOUNCE_AND_BECOME =
  'printf %s "$$" > "$1.tmp" && ln "$1.tmp" "$1" && rm -f "$1.tmp" && shift && exec "$@"';

function serverArguments(database: string, { port, uiPort }: TemporalPorts): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--log-level',
    'warn',
    '--port',
    String(port),
    '--ui-port',
    String(uiPort),
    '--db-filename',
    database,
  ];
}

/** What took a start back stays: its shell may come as late as it likes. */
async function forgetLastStart(stateDir: string): Promise<void> {
  const last = await lastStart(stateDir);
  if (!last) return;
  const path = pidPath(stateDir, last.startId);
  if ((await readText(path)) !== REVOKED) await rm(path, { force: true });
}

async function lastStart(
  stateDir: string,
): Promise<(TemporalPorts & { startId: string }) | undefined> {
  const { startId, port, uiPort } = (await readFields(statePaths(stateDir).temporal)) ?? {};
  if (typeof startId !== 'string' || !/^[\w-]+$/.test(startId)) return undefined;
  return typeof port === 'number' && typeof uiPort === 'number'
    ? { startId, port, uiPort }
    : undefined;
}

function pidPath(stateDir: string, startId: string): string {
  return join(stateDir, `temporal.${startId}.pid`);
}

function handleOf(stateDir: string, pid: number, { port, uiPort }: TemporalPorts): TemporalProcess {
  const { database } = statePaths(stateDir);
  // Its arguments tell it apart from a later process that was given the same pid.
  const isAlive = (): boolean => {
    const commandLine = commandLineOf(pid) ?? '';
    return commandLine.includes(database) && commandLine.includes('start-dev');
  };
  const stop = async (): Promise<void> => {
    signalGroup(pid, 'SIGTERM', isAlive);
    // One that was suspended hears it only when it goes on.
    signalGroup(pid, 'SIGCONT', isAlive);
    if (!(await endsWithin(STOP_LIMIT_MS, isAlive))) signalGroup(pid, 'SIGKILL', isAlive);
    if (!(await endsWithin(STOP_LIMIT_MS, isAlive))) {
      throw new Error(`Temporal, process ${pid}, does not end.`);
    }
  };
  return { pid, port, uiPort, isAlive, stop };
}

/** Temporal stops in about 1 s; on a loaded machine it may take longer. */
const STOP_LIMIT_MS = 15_000;
const POLL_MS = 50;

function signalGroup(pid: number, signal: NodeJS.Signals, isAlive: () => boolean): void {
  if (!isAlive()) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

async function endsWithin(limitMs: number, isAlive: () => boolean): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (isAlive()) {
    if (performance.now() > end) return false;
    await sleep(POLL_MS);
  }
  return true;
}
