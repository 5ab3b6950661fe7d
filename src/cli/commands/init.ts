import { existsSync, readFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { storageError } from '../../storage/disk-errors.ts';
import { replaceFile } from '../../storage/replace-file.ts';
import { examples, print, type CliContext, type Flags } from '../command.ts';
import { nearPath } from '../text.ts';

export function initCommand(context: CliContext): Command {
  const command = new Command('init')
    .summary('make this folder ready: datasets.yaml, .env, .gitignore')
    .description(
      'Writes a datasets.yaml without a dataset and a .env in which every setting is a comment, and, in a git ' +
        'repository, the lines of .gitignore that keep the lake and .env out of it. What is there already stays.',
    )
    .action(async (flags: Flags) => await initFolder(context, flags));
  return examples(command, ['init', 'init --json']);
}

const DATASETS = `# The datasets that \`longhaul ingest <name>\` knows. \`longhaul add <address>\` writes one.
# docs/configuration.md explains every key. For example:
#
#   trees: # lower-case letters, digits and dashes
#     time_zone: America/Denver # the ingest date is the day in this zone
#     schedule: # \`longhaul schedule apply\` makes it run; without: only by hand
#       cron: 30 5 * * *
#     sources:
#       - id: all
#         address: https://example.com/trees.csv
datasets: {}
`;

/** This file of the package has every setting as a comment. */
const ENV_EXAMPLE = new URL('../../../.env.example', import.meta.url);

/** The default folders of the lake and of its state, and the file with the secrets. */
const IGNORED = ['data/', '.longhaul/', '.env'];

async function initFolder(context: CliContext, flags: Flags): Promise<void> {
  const { cwd, settings } = context.loadConfig();
  const files = [
    { path: settings.datasetsFile, text: DATASETS },
    { path: join(cwd, '.env'), text: readFileSync(ENV_EXAMPLE, 'utf8') },
  ];
  const written: string[] = [];
  const kept: string[] = [];
  for (const { path, text } of files) {
    if (await writeNew(path, text)) written.push(path);
    else kept.push(path);
  }
  const gitignore = join(cwd, '.gitignore');
  if (isInRepository(cwd)) {
    if (await ignore(gitignore)) written.push(gitignore);
    else kept.push(gitignore);
  }
  await print(context, flags, { written, kept }, () =>
    [
      ...written.map((path) => `Wrote ${nearPath(path, cwd)}`),
      ...kept.map((path) => `Left ${nearPath(path, cwd)} as it is`),
      '',
      `Next: longhaul add <address>${context.lakeFlag}`,
    ].join('\n'),
  );
}

/** @returns false if the file exists. */
async function writeNew(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw storageError(error, path);
  }
}

function isInRepository(folder: string): boolean {
  if (existsSync(join(folder, '.git'))) return true;
  const parent = dirname(folder);
  return parent !== folder && isInRepository(parent);
}

/** @returns false if the file has every line already. */
async function ignore(path: string): Promise<boolean> {
  const text = existsSync(path) ? await readFile(path, 'utf8') : '';
  const lines = new Set(text.split(/\r?\n/).map((line) => line.trim()));
  const missing = IGNORED.filter((line) => !lines.has(line));
  if (missing.length === 0) return false;
  const gap = text === '' || text.endsWith('\n') ? '' : '\n';
  await replaceFile(path, `${text}${gap}${missing.join('\n')}\n`, 0o666);
  return true;
}
