/**
 * `npm run check [-- --without unit]`: runs every check that needs no outside program, two at a time, and shows all
 * failures. CI leaves out the unit tests, because `npm test` runs them too.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/** The slow checks are first, so that the quick ones fill the gaps. */
const CHECKS = ['unit', 'types', 'lint', 'deps', 'dead', 'docs:check', 'format'];
/** On a laptop, more checks at once would only slow each other down. */
const CONCURRENCY = 2;

interface Outcome {
  name: string;
  ok: boolean;
  seconds: number;
  output: string;
}

const { values } = parseArgs({ options: { without: { type: 'string' } } });
const waiting = CHECKS.filter((name) => name !== values.without);
const outcomes: Outcome[] = [];
await Promise.all(Array.from({ length: CONCURRENCY }, workOff));

const failed = outcomes.filter((each) => !each.ok).map((each) => each.name);
console.log(
  failed.length === 0
    ? 'All checks passed.'
    : `Failed: ${failed.join(', ')} (run each alone with npm run <name>).`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function workOff(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const outcome = await check(name);
    outcomes.push(outcome);
    console.log(`${outcome.ok ? 'ok    ' : 'FAILED'} ${name} (${outcome.seconds.toFixed(1)} s)`);
    if (!outcome.ok) console.log(outcome.output.trimEnd());
  }
}

async function check(name: string): Promise<Outcome> {
  const startedAt = performance.now();
  const child = spawn('npm', ['run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return {
    name,
    ok: code === 0,
    seconds: (performance.now() - startedAt) / 1000,
    output: Buffer.concat(output).toString(),
  };
}
