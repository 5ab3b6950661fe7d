import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { examples, withJson } from './options.ts';

export function retryCommand(context: CliContext): Command {
  const command = new Command('retry')
    .summary('run again what failed of a run')
    .description(
      'Runs the dataset and day of a run that failed once more. Sources that it finished are taken as they ' +
        'are; only what failed is repeated, with the addresses that datasets.yaml has now.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>')
    .option('--accept', 'publish although the snapshot has under half the rows of the last one');
  withJson(command).action(async (run: string, flags: { json?: boolean; accept?: boolean }) => {
    const { retryRun } = await import('../retry.ts');
    await retryRun(context, run, flags);
  });
  return examples(command, ['retry denver-311/2026-11-23', 'retry <run id>']);
}
