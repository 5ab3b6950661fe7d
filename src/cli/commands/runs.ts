import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { examples, positiveCount, withJson } from './options.ts';

export function runsCommand(context: CliContext): Command {
  const command = new Command('runs')
    .summary('list the runs')
    .description('Lists the runs that Temporal remembers, newest first. Starts no worker.')
    .option('--limit <count>', 'how many', positiveCount, 20);
  withJson(command).action(async (flags: { limit: number; json?: boolean }) => {
    const { showRuns } = await import('../show.ts');
    await showRuns(context, flags);
  });
  return examples(command, ['runs', 'runs --limit 100 --json']);
}

export function showCommand(context: CliContext): Command {
  const command = new Command('show')
    .summary('show one run: stages, ledger, failures')
    .description(
      'Shows how far each source of a run is or got, its ledger, what is tried again and why, and why it failed. ' +
        'Starts no worker, except with --follow.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>')
    .option('--follow', 'stay until it ends, whoever started it; Ctrl-C leaves the run alone');
  withJson(command).action(async (run: string, flags: { json?: boolean; follow?: boolean }) => {
    const { showRun } = await import('../show.ts');
    await showRun(context, run, flags);
  });
  return examples(command, [
    'show denver-311/2026-11-23',
    'show denver-311/2026-11-23 --follow',
    'show <run id> --json',
  ]);
}

export function cancelCommand(context: CliContext): Command {
  const command = new Command('cancel')
    .summary('cancel a run')
    .description(
      'Cancels a run and waits until a worker has cleaned up; it starts none. Nothing of the run is published; what it ' +
        'downloaded is kept for the next run of the day.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>');
  command.option('--discard', 'throw away what it downloaded');
  withJson(command).action(async (run: string, flags: { json?: boolean; discard?: boolean }) => {
    const { cancel } = await import('../show.ts');
    await cancel(context, run, flags);
  });
  return examples(command, ['cancel denver-311/2026-11-23']);
}
