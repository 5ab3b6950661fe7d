/** `npm run chaos`: runs storms against the CLI. Each must end with the day published and no file lost or left over. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runIteration } from './iteration.ts';
import type { StormSettings } from './lab.ts';

const USAGE = `Usage: npm run chaos -- [options]

Kills and freezes the host, Temporal, the command, conversions, the publisher and the S3 gateway at random moments of an
ingest, while the publisher misbehaves; then checks from outside that the day is published once, whole, and with nothing
beside it. Only processes of each iteration's own folder are hit.

  --iterations  how many storms (default 20)
  --seed        the same seed plans the same storms (default 1)
  --from        the first storm of the seed (default 1)
  --target      disk | s3: a bucket on an S3 gateway of this machine (default disk)

Example: npm run chaos -- --iterations 20 --seed 7 --target s3`;

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

/** @returns whether every iteration passed. */
async function main(): Promise<boolean> {
  const { iterations, seed, from, target } = readArguments();
  if (!existsSync('/proc/self/environ'))
    throw new Error('The storm finds processes in /proc: Linux only.');
  if (!existsSync('dist/cli/main.js')) throw new Error('dist/ is missing: run `npm run build`.');
  let failed = 0;
  for (let iteration = from; iteration < from + iterations; iteration += 1) {
    if (!(await passes({ seed, iteration, target }))) failed += 1;
  }
  const passed = iterations - failed;
  console.log(`${passed} iteration${passed === 1 ? '' : 's'} passed, ${failed} failed`);
  return failed === 0;
}

async function passes(settings: StormSettings): Promise<boolean> {
  const startedAtMs = performance.now();
  const { problems, timeline, folder } = await runIteration(settings);
  const { seed, iteration, target } = settings;
  const faults = timeline.filter((line) => /^ *[\d.]+ s {2}(?:kill|freeze) /.test(line)).length;
  const took = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  const outcome = problems.length === 0 ? 'passed' : 'FAILED';
  console.log(
    `seed ${seed}, iteration ${iteration}, ${target}: ${outcome} in ${took} s, ${faults} kills and freezes`,
  );
  if (problems.length === 0) return true;
  console.log(problems.map((each) => `  ${each}`).join('\n'));
  console.log(timeline.join('\n'));
  console.log(`  Kept: ${folder}`);
  console.log(
    `  Again: npm run chaos -- --seed ${seed} --from ${iteration} --iterations 1 --target ${target}`,
  );
  return false;
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      iterations: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '1' },
      target: { type: 'string', default: 'disk' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [iterations, seed, from] = [values.iterations, values.seed, values.from].map((text) =>
    /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined,
  );
  const target = (['disk', 's3'] as const).find((each) => each === values.target);
  if (values.help || !iterations || !seed || !from || !target) throw new Error(USAGE);
  return { iterations, seed, from, target };
}
