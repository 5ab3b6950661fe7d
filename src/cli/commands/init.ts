import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { examples, withJson, type Flags } from './options.ts';

export function initCommand(context: CliContext): Command {
  const command = new Command('init')
    .summary('make this folder ready: datasets.yaml, .env, .gitignore')
    .description(
      'Writes a datasets.yaml without a dataset and a .env in which every setting is a comment, and, in a git ' +
        'repository, the lines of .gitignore that keep the lake and .env out of it. What is there already stays.',
    );
  withJson(command).action(async (flags: Flags) => {
    const { initFolder } = await import('../init.ts');
    await initFolder(context, flags);
  });
  return examples(command, ['init', 'init --json']);
}
