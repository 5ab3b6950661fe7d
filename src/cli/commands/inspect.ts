import { Command } from 'commander';
import { examples, type CliContext, type Flags } from '../command.ts';

export interface InspectFlags extends Flags {
  all?: boolean;
  source?: string;
}

export function inspectCommand(context: CliContext): Command {
  const command = new Command('inspect')
    .summary('how a file is read and typed, and why')
    .description(
      'Shows delimiter, encoding, header and line ends of a CSV file with the evidence, and for each column its type and ' +
        'the values that decide it. Of an address it reads the first 16 MiB; of a dataset, each source as it was last ' +
        'published, else at its address. Nothing is written.',
    )
    .argument(
      '<address|dataset>',
      'a name of datasets.yaml or of a published dataset, a URL, or a CSV file',
    )
    .option('--all', 'read all of an address, not its start alone')
    .option('--source <id>', 'one source of the dataset only')
    .action(async (target: string, flags: InspectFlags) => {
      const { inspectTarget } = await import('../inspect.ts');
      await inspectTarget(context, target, flags);
    });
  return examples(command, [
    'inspect https://example.com/trees.csv',
    'inspect ./trees.csv --all',
    'inspect denver-311 --source 2015',
    'inspect denver-311 --json',
  ]);
}
