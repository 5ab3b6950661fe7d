import { Command, InvalidArgumentError, Option } from 'commander';
import { TARGETS, type Target } from '../../model/run.ts';
import { parseAge } from '../../model/sweep.ts';
import type { CliContext } from '../context.ts';
import { examples, withJson } from './options.ts';

export interface SweepFlags {
  /** Milliseconds. */
  olderThan: number;
  dryRun?: boolean;
  target?: Target;
  json?: boolean;
}

/** A run that failed today is retried today: until then its partial landings spare a download. */
const DEFAULT_AGE = '24h';

export function sweepCommand(context: CliContext): Command {
  const command = new Command('sweep')
    .summary('remove what dead runs left')
    .description(
      'Removes what killed or failed runs left in the lake: unfinished uploads, partial files and their ' +
        'checkpoints, Parquet parts that nothing names, staging, temporaries; and ends EMR clusters that they made. What is published or landed stays, and so does what a run under way ' +
        'holds. A failed run that is retried after that downloads from the start. Ctrl-C cancels it.',
    )
    .addOption(
      new Option(
        '--older-than <age>',
        'only what nobody has touched for this long: 90m, 24h, 7d; 0 for all',
      )
        .argParser(age)
        .default(age(DEFAULT_AGE), DEFAULT_AGE),
    )
    .option('--dry-run', 'remove nothing, and show what would go')
    .addOption(
      new Option('--target <target>', 'which lake (default: LONGHAUL_TARGET)').choices(TARGETS),
    );
  withJson(command).action(async (flags: SweepFlags) => {
    const { runSweep } = await import('../sweep.ts');
    await runSweep(context, flags);
  });
  return examples(command, [
    'sweep --dry-run',
    'sweep --older-than 7d',
    'sweep --target s3 --json',
  ]);
}

function age(text: string): number {
  const ageMs = parseAge(text);
  if (ageMs !== undefined) return ageMs;
  throw new InvalidArgumentError('It must be minutes, hours or days (90m, 24h, 7d), or 0.');
}
