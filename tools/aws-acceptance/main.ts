/**
 * `npm run aws-acceptance -- --yes [--dead-man] [--serverless]`: tries on AWS what no other test can prove, with the
 * settings of `.env` and the environment. It makes clusters and costs money. See docs/aws.md.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../src/config/load-config.ts';
import { PROGRAM } from '../demo/cli.ts';
import { openLake } from '../../src/storage/open-lake.ts';
import { nothingLeft, stepsOf, type Step } from './steps.ts';
import { withTrial, type Trial } from './trial.ts';

const COST = `It makes three EMR clusters, one after the other, of three m7g.xlarge each unless your settings say otherwise, for
some 20 minutes each, and with --dead-man a fourth for an hour: 1 to 3 $ in all. Each is limited to 3 instance-hours.
Nothing in the lake is removed at the end.`;

/** The lake may have datasets of other trials, which have this prefix. */
const PREFIX = 'acceptance-';

process.exitCode = await accept();

async function accept(): Promise<number> {
  const { values } = parseArgs({
    options: {
      yes: { type: 'boolean', default: false },
      'dead-man': { type: 'boolean', default: false },
      serverless: { type: 'boolean', default: false },
    },
  });
  const problem = existsSync(PROGRAM)
    ? await problemOfLake()
    : `There is no ${PROGRAM} yet: run npm run build.`;
  if (problem !== undefined || !values.yes) {
    console.error(problem ?? `${COST}\nWith --yes it starts.`);
    return 2;
  }
  console.log(COST);
  const prefix = `${PREFIX}${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}-`;
  const steps = stepsOf({ deadMan: values['dead-man'], serverless: values.serverless });
  const datasets = steps.map(({ id }) => `${prefix}${id}`);
  return await withTrial(datasets, async (trial) => {
    let passed = true;
    // A failed step is not followed by others, because they would cost as much again.
    for (const [index, step] of steps.entries()) {
      if (!passed || trial.isInterrupted) break;
      passed = await isPassed(trial, step, datasets[index] ?? '');
    }
    passed = (await isPassed(trial, nothingLeft(prefix), '')) && passed && !trial.isInterrupted;
    console.log(
      passed ? '\nAll passed.' : '\nNot passed: steps after one that failed were left out.',
    );
    return passed ? 0 : 1;
  });
}

/** The lake must serve this trial only: runs of another Temporal, and their clusters, must not be touched. */
async function problemOfLake(): Promise<string | undefined> {
  const { settings } = loadConfig();
  if (settings.lake.kind !== 's3') return 'LAKE must be s3://bucket/prefix.';
  const { converted } = await openLake(settings);
  const others = (await converted.folders('')).filter((name) => !/^(?:_|acceptance-)/.test(name));
  if (others.length === 0) return undefined;
  return `${converted.uri('')} has datasets (${others[0]}): give a LAKE of its own.`;
}

async function isPassed(trial: Trial, step: Step, dataset: string): Promise<boolean> {
  console.log(`\n== ${step.id}: ${step.proves}`);
  if (step.skip !== undefined) {
    console.log(`skipped: ${step.skip}`);
    return true;
  }
  try {
    console.log(`pass: ${await step.run(trial, dataset)}`);
    return true;
  } catch (error) {
    console.log(`FAIL: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}
