import { Command, InvalidArgumentError, Option } from 'commander';
import { parseAge } from '../../model/sweep.ts';
import type { CliContext } from '../context.ts';
import type { StatusFlags } from '../status.ts';
import { examples, withJson, withTarget } from './options.ts';

/** Large files take a while, and a run that failed is tried again. */
const DEFAULT_GRACE = '3h';

export function statusCommand(context: CliContext): Command {
  const command = new Command('status')
    .summary('how fresh each dataset is; for monitors')
    .description(
      "Shows each dataset's last published snapshot and its age against its schedule. Exit code 8 where one is " +
        'late: what was due longer ago than the grace is not published. Reads datasets.yaml and the lake only, so ' +
        'it tells the truth also where Temporal is down.',
    )
    .addOption(
      new Option('--grace <age>', 'how long a run may take before it is late: 90m, 3h, 1d; or 0')
        .argParser(age)
        .default(age(DEFAULT_GRACE), DEFAULT_GRACE),
    );
  withJson(withTarget(command)).action(async (flags: StatusFlags) => {
    const { showStatus } = await import('../status.ts');
    await showStatus(context, flags);
  });
  return examples(command, ['status', 'status --grace 6h --json', 'status --target s3']);
}

function age(text: string): number {
  const ageMs = parseAge(text);
  if (ageMs !== undefined) return ageMs;
  throw new InvalidArgumentError('It must be minutes, hours or days (90m, 3h, 1d), or 0.');
}
