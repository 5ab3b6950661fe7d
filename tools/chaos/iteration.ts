import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkLake, filesWith } from './lake-check.ts';
import { processesOf } from './processes.ts';
import { planStorm, rage } from './storm.ts';
import { DATASET, World, type Weather } from './world.ts';

export interface Report {
  problems: readonly string[];
  timeline: readonly string[];
  /** Kept where there are problems. */
  folder: string;
}

const INGEST = ['ingest', DATASET, '--json'];
/** Of the operator between a command and the next. */
const MAX_PAUSE_MS = 1000;
/** Once the storm is over. */
const MAX_TRIES = 6;
/** A stopped process may take a moment to be gone. */
const END_LIMIT_MS = 20_000;

/** One storm; then the day must be published, whole, once, and with nothing beside it. */
export async function runIteration(weather: Weather): Promise<Report> {
  const world = await World.create(weather);
  const { problems, timeline, folder } = world;
  try {
    await world.open();
    await storm(world, weather);
    await world.calm();
    await untilPublished(world);
    await check(world);
  } catch (error) {
    problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await world.close();
  }
  if (problems.length === 0) await rm(folder, { recursive: true, maxRetries: 5 });
  return { problems, timeline, folder };
}

/** Blows fall while a command runs; where it ends, another one is started, as an operator would. */
async function storm(world: World, { target }: Weather): Promise<void> {
  const operator = world.random('operator');
  if (operator.chance(1, 2)) await world.run('up', '--background');
  const published = new AbortController();
  const over = new AbortController();
  const raging = rage(planStorm(world.random('storm'), target), world, published.signal);
  void raging.catch(() => undefined).then(() => over.abort());
  while (!over.signal.aborted) {
    const { code } = await world.run(...INGEST);
    if (code === 0) published.abort();
    await sleep(operator.below(MAX_PAUSE_MS));
  }
  await raging;
}

async function untilPublished(world: World): Promise<void> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if ((await world.run(...INGEST)).code === 0) return;
  }
  throw new Error(`It did not publish in ${MAX_TRIES} tries.`);
}

async function check(world: World): Promise<void> {
  const { problems, folder, gateway, secrets } = world;
  await mustRun(world, 'verify', DATASET, '--json');
  await mustRun(world, 'sweep', '--older-than', '0', '--json');
  const uploads = (await gateway?.openUploads()) ?? [];
  problems.push(...uploads.map((key) => `An upload is open: ${key}`));
  await mustRun(world, 'down', '--force');
  await world.stopServers();
  problems.push(...(await processesLeft(folder)));
  problems.push(...(await checkLake(world.lake, DATASET, world.sources)));
  const found = await filesWith(folder, secrets);
  problems.push(...found.map((file) => `A secret is in ${file}`));
}

async function mustRun(world: World, ...args: string[]): Promise<void> {
  const { code, log } = await world.run(...args);
  if (code !== 0) world.problems.push(`longhaul ${args.join(' ')} ended with ${code}: ${log}`);
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
