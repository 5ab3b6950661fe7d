import { Command, Option } from 'commander';
import { GEOMETRIES, type Geometry } from '../../model/dataset.ts';
import { examples, type CliContext, type Flags } from '../command.ts';

export interface AddFlags extends Flags {
  id: string;
  schedule?: string;
  geometry?: Geometry;
  header?: string[];
}

export function addCommand(context: CliContext): Command {
  const command = new Command('add')
    .summary("add a portal's page, a CSV file's address or a CSV file to datasets.yaml")
    .description(
      'Looks at the address: what a portal says of the table (title, licence, columns), or what the first MiB of a CSV ' +
        'file shows. Then writes a dataset of this one source into datasets.yaml, and leaves all else in the file as it ' +
        'is. Where the address leads to several tables, it lists their addresses and writes nothing.',
    )
    .argument('<address>', "the address of a portal's page or of a CSV file, or a path")
    .option(
      '--name <name>',
      "name of the dataset (default: from the portal's title, or the address)",
    )
    .option('--id <id>', 'id of the source: its name in the lake', 'all')
    .option(
      '--schedule <yaml>',
      'when it runs, as datasets.yaml writes it: true, "every: 6h", "cron: 30 5 * * *"',
    )
    .addOption(
      new Option(
        '--geometry <form>',
        'how the geometry of an ArcGIS layer becomes columns',
      ).choices(GEOMETRIES),
    )
    .option(
      '--header <line>',
      "a header of each request, 'X-App-Token: ${NAME}', NAME from the environment or .env; repeatable",
      (line: string, lines: string[] | undefined) => [...(lines ?? []), line],
    )
    .action(async (address: string, flags: AddFlags) => {
      const { addDataset } = await import('../add.ts');
      await addDataset(context, address, flags);
    });
  return examples(command, [
    'add https://data.example.org/trees.csv --name trees',
    'add https://data.example.org/d/ab12-cd34 --schedule "every: 6h"',
    "add https://data.example.org/d/ab12-cd34 --header 'X-App-Token: ${APP_TOKEN}'",
    'add ./trees.csv --json',
  ]);
}
