import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkLake, filesWith } from './lake-check.ts';
import { processesOf } from './processes.ts';
import { planStorm, runStorm } from './storm.ts';
import { DATASET, Lab, type StormSettings } from './lab.ts';

export interface Report {
  problems: readonly string[];
  timeline: readonly string[];
  /** The lab's folder. It stays if there are problems. */
  folder: string;
}

const INGEST = ['ingest', DATASET, '--json'];
/** Longest pause of the operator between two commands. */
const MAX_PAUSE_MS = 1000;
/** Runs that the operator may start after the storm. */
const MAX_TRIES = 6;
/** A stopped process may need a moment to end. */
const END_LIMIT_MS = 20_000;

/** Runs one storm. Afterwards the day must be published once and in full, with no other files beside it. */
export async function runIteration(settings: StormSettings): Promise<Report> {
  const lab = await Lab.create(settings);
  const { problems, timeline, folder } = lab;
  try {
    await lab.open();
    await storm(lab, settings);
    await lab.endFaults();
    await untilPublished(lab);
    await check(lab);
  } catch (error) {
    problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await lab.close();
  }
  if (problems.length === 0) await rm(folder, { recursive: true, maxRetries: 5 });
  return { problems, timeline, folder };
}

/** Faults happen while a command runs. When it ends, the next one starts, as an operator would start it. */
async function storm(lab: Lab, { target }: StormSettings): Promise<void> {
  const operator = lab.random('operator');
  if (operator.chance(1, 2)) await lab.run('up', '--background');
  const published = new AbortController();
  const over = new AbortController();
  const running = runStorm(planStorm(lab.random('storm'), target), lab, published.signal);
  void running.catch(() => undefined).then(() => over.abort());
  while (!over.signal.aborted) {
    const { code } = await lab.run(...INGEST);
    if (code === 0) published.abort();
    await sleep(operator.below(MAX_PAUSE_MS));
  }
  await running;
}

async function untilPublished(lab: Lab): Promise<void> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if ((await lab.run(...INGEST)).code === 0) return;
  }
  throw new Error(`It did not publish in ${MAX_TRIES} tries.`);
}

async function check(lab: Lab): Promise<void> {
  const { problems, folder, gateway, secrets } = lab;
  await mustRun(lab, 'verify', DATASET, '--json');
  await mustRun(lab, 'sweep', '--older-than', '0', '--json');
  const uploads = (await gateway?.openUploads()) ?? [];
  problems.push(...uploads.map((key) => `An upload is open: ${key}`));
  await mustRun(lab, 'down', '--force');
  await lab.stopServers();
  problems.push(...(await processesLeft(folder)));
  problems.push(...(await checkLake(lab.lake, DATASET, lab.sources)));
  const found = await filesWith(folder, secrets);
  problems.push(...found.map((file) => `A secret is in ${file}`));
}

async function mustRun(lab: Lab, ...args: string[]): Promise<void> {
  const { code, log } = await lab.run(...args);
  if (code !== 0) lab.problems.push(`longhaul ${args.join(' ')} ended with ${code}: ${log}`);
}

async function processesLeft(folder: string): Promise<string[]> {
  const limit = performance.now() + END_LIMIT_MS;
  for (;;) {
    const left = processesOf(folder);
    if (left.length === 0) return [];
    if (performance.now() > limit) {
      return left.map(({ pid, command }) => `Process ${pid} lives: ${command}`);
    }
    await sleep(50);
  }
}
