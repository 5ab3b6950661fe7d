import { Command } from 'commander';
import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import { examples } from './options.ts';

/** `longhaul help <command>`, which many try before --help. */
export function helpCommand(program: Command): Command {
  const command = new Command('help')
    .summary('explain a command, or list all')
    .description('Prints what `<command> --help` prints.')
    .argument('[command...]', 'a command, and one of its own')
    .action((words: string[]) => {
      let found = program;
      for (const word of words) found = named(found, word);
      found.outputHelp();
    });
  return examples(command, ['help', 'help ingest', 'help schedule backfill']);
}

function named(parent: Command, word: string): Command {
  const found = parent.commands.find((each) => each.name() === word);
  if (found) return found;
  const names = parent
    .createHelp()
    .visibleCommands(parent)
    .map((each) => each.name());
  const known = names.length === 0 ? '' : `; there are ${names.join(', ')}`;
  throw new LonghaulError('USAGE', `There is no command ${printable(word)}${known}.`, {
    hint: 'longhaul --help lists all commands.',
  });
}
