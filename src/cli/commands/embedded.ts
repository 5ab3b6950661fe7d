import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { examples, withJson } from './options.ts';

export function upCommand(context: CliContext): Command {
  const command = new Command('up')
    .summary('run Temporal, its Web UI and a worker on this machine')
    .description(
      'Keeps the embedded Temporal server, its Web UI and a worker running until Ctrl-C, or, with ' +
        '--background, until `longhaul down`, which ends both. A host that is killed is started again. Its history of 90 days lies in DATA_DIR/.longhaul/.',
    )
    .option('--background', 'leave it running and return');
  withJson(command).action(async (flags: { background?: boolean; json?: boolean }) => {
    const { up } = await import('../up-down.ts');
    await up(context, flags);
  });
  return examples(command, ['up', 'up --background']);
}

export function downCommand(context: CliContext): Command {
  const command = new Command('down')
    .summary('stop what `up` keeps running')
    .description(
      'Stops the embedded server as soon as no command uses it; `longhaul up`, in the foreground too, ends. Runs ' +
        'under way go on when it starts again.',
    )
    .option('--force', 'stop it at once, even under commands that use it');
  withJson(command).action(async (flags: { force?: boolean; json?: boolean }) => {
    const { down } = await import('../up-down.ts');
    await down(context, flags);
  });
  return examples(command, ['down', 'down --force']);
}
