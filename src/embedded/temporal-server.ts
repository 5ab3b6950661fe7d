import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { freePorts, type TemporalPorts } from './free-ports.ts';
import { logSize, rotateLog, statePaths } from './state-files.ts';
import { prepareNamespace, isServing } from './temporal-namespace.ts';
import {
  findTemporal,
  lastPorts,
  launchTemporal,
  type TemporalProcess,
} from './temporal-process.ts';

export interface TemporalServer {
  address: string;
  uiUrl: string;
  process: TemporalProcess;
}

export interface TemporalServerOptions {
  stateDir: string;
  /** Asked only where none is left to take over. */
  program: () => Promise<string>;
  preferredPorts: readonly TemporalPorts[];
  /** What it does, for the log. */
  onNote: (note: string) => void;
  /** Gives up waiting, and stops what was started. */
  signal: AbortSignal;
}

/**
 * The one Temporal server of a state folder, ready for use: taken over where one was left, else started. The
 * caller holds the host's lock.
 * @throws LonghaulError EMBEDDED_FAILED with the end of Temporal's log, TEMPORAL_NOT_INSTALLED.
 */
export async function startOrAdoptTemporal(
  options: TemporalServerOptions,
): Promise<TemporalServer> {
  const server = (await adopt(options)) ?? (await start(options));
  await prepareNamespace(server.address);
  return server;
}

/** One that was left answers at once, unless it was just starting. */
const ADOPT_LIMIT_MS = 10_000;
/** It takes about 1 s; a laptop under load, with a big database, takes longer. */
const START_LIMIT_MS = 60_000;
const START_ATTEMPTS = 3;
const POLL_MS = 50;
/** A program of another version may announce itself otherwise; one whose ports are taken ends long before this. */
const UNANNOUNCED_MS = 5000;

async function adopt({
  stateDir,
  onNote,
  signal,
}: TemporalServerOptions): Promise<TemporalServer | undefined> {
  const left = await findTemporal(stateDir);
  if (!left) return undefined;
  const server = serverOf(left);
  const end = performance.now() + ADOPT_LIMIT_MS;
  while (left.isAlive() && performance.now() < end && !signal.aborted) {
    if (await isServing(server.address)) {
      onNote(`Took over the Temporal server that was left, process ${left.pid}`);
      return server;
    }
    await sleep(POLL_MS);
  }
  onNote(`The Temporal server that was left, process ${left.pid}, does not answer: stopping it`);
  await left.stop();
  return undefined;
}

async function start(options: TemporalServerOptions): Promise<TemporalServer> {
  const { stateDir, onNote, signal } = options;
  const program = await options.program();
  const { temporalLog } = statePaths(stateDir);
  await rotateLog(temporalLog);
  const last = await lastPorts(stateDir);
  const wishes = last ? [last, ...options.preferredPorts] : options.preferredPorts;
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    const logStart = await logSize(temporalLog);
    // Somebody may take a free port before Temporal does; the next attempt goes elsewhere.
    const ports = await freePorts(attempt === 1 ? wishes : []);
    const server = serverOf(await launchTemporal(stateDir, program, ports, randomUUID()));
    if (await comesUp(server, temporalLog, logStart, signal)) {
      onNote(`Started Temporal at ${server.address}, process ${server.process.pid}`);
      return server;
    }
    await server.process.stop();
    signal.throwIfAborted();
    if (attempt >= START_ATTEMPTS) throw await startFailure(temporalLog, logStart);
    onNote('Temporal did not come up: trying again on other ports');
  }
}

async function comesUp(
  { address, process }: TemporalServer,
  log: string,
  logStart: number,
  signal: AbortSignal,
): Promise<boolean> {
  const begin = performance.now();
  while (process.isAlive() && performance.now() - begin < START_LIMIT_MS && !signal.aborted) {
    // Another server may have got the port first; only Temporal's own word says that this one listens.
    const announced = (await logFrom(log, logStart)).includes(`:${process.port}`);
    const waited = performance.now() - begin > UNANNOUNCED_MS;
    if ((announced || waited) && (await isServing(address))) return process.isAlive();
    await sleep(POLL_MS);
  }
  return false;
}

async function startFailure(log: string, logStart: number): Promise<LonghaulError> {
  const lines = (await logFrom(log, logStart)).trim().split('\n');
  const last = printable((lines.at(-1) ?? '').slice(0, MAX_LOG_LINE_LENGTH)) || 'nothing';
  const hint = `Its log is ${log}; \`longhaul down\`, then try again.`;
  return new LonghaulError('EMBEDDED_FAILED', `Temporal did not start; its last word: ${last}`, {
    hint,
  });
}

/** Two lines of a terminal. */
const MAX_LOG_LINE_LENGTH = 200;

async function logFrom(path: string, start: number): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return bytes.subarray(start).toString('utf8');
}

function serverOf(process: TemporalProcess): TemporalServer {
  return {
    address: `127.0.0.1:${process.port}`,
    uiUrl: `http://127.0.0.1:${process.uiPort}`,
    process,
  };
}
