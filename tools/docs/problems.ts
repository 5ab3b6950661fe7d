import { dirname, join, normalize } from 'node:path';
import type { Command } from 'commander';
import { commandsIn, inlineCode, links, pointers } from './markdown.ts';

/** Things that a document may name. */
export interface Known {
  program: Command;
  scripts: ReadonlySet<string>;
  errorCodes: ReadonlySet<string>;
  settings: ReadonlySet<string>;
  /** @returns whether a path relative to the repository exists. */
  exists: (path: string) => boolean;
  /** @returns the anchors of a document's headings. */
  anchors: (path: string) => ReadonlySet<string>;
}

/** Finds everything that a document says and that is not true. @returns one line each, with file and line. */
export function problemsOf(file: string, text: string, known: Known): string[] {
  const problems: string[] = [];
  const report = (line: number, message: string): void => {
    problems.push(`${file}:${line} ${message}`);
  };
  for (const { line, words } of commandsIn(text)) {
    const problem = commandProblem(words, known);
    if (problem !== undefined) report(line, problem);
  }
  for (const { line, target } of links(text)) {
    if (!isThere(pathOf(file, target), target, known))
      report(line, `links to ${target}, which is not there`);
  }
  problems.push(...pointerProblems(file, text, known));
  for (const { line, code } of inlineCode(text)) {
    if (isUnknownErrorCode(code, known)) report(line, `names ${code}, which is no error code`);
  }
  return problems;
}

/** Problems of the pointers `docs/<name>.md` and `docs/<name>.md#<heading>` in a document or a message. */
export function pointerProblems(
  file: string,
  text: string,
  known: Pick<Known, 'exists' | 'anchors'>,
): string[] {
  return pointers(text)
    .filter(({ target }) => !isThere(target.replace(/#.*$/s, ''), target, known))
    .map(({ line, target }) => `${file}:${line} points to ${target}, which is not there`);
}

function isThere(
  path: string,
  target: string,
  { exists, anchors }: Pick<Known, 'exists' | 'anchors'>,
): boolean {
  if (!exists(path)) return false;
  const anchor = /#(.+)$/s.exec(target)?.[1];
  return anchor === undefined || !path.endsWith('.md') || anchors(path).has(anchor);
}

function commandProblem(words: readonly string[], known: Known): string | undefined {
  const [program, ...rest] = words;
  if (program === 'npm') return scriptProblem(rest, known.scripts);
  return longhaulProblem(rest, known.program);
}

function scriptProblem(
  [run, ...rest]: readonly string[],
  scripts: Known['scripts'],
): string | undefined {
  const name = run === 'test' ? run : rest.find((word) => !word.startsWith('-'));
  if (name === undefined || scripts.has(name)) return undefined;
  return `runs npm run ${name}, which package.json does not have`;
}

/** Follows the words down the tree of commands. A command must have each option itself, or its parents must. */
function longhaulProblem(words: readonly string[], program: Command): string | undefined {
  let command = program;
  for (const word of words) {
    const next = command.commands.find(
      (each) => each.name() === word || each.aliases().includes(word),
    );
    if (next) command = next;
    else if (word.startsWith('-') && !hasOption(command, word)) {
      return `gives ${word} to longhaul ${command === program ? '' : command.name()}`.trimEnd();
    } else if (command === program && /^[a-z]+$/.test(word)) {
      return `runs longhaul ${word}, which is no command`;
    }
  }
  return undefined;
}

function hasOption(command: Command, word: string): boolean {
  const name = word.replace(/=.*$/s, '');
  if (['--help', '-h', '--', '-'].includes(name)) return true;
  for (let each: Command | null = command; each !== null; each = each.parent) {
    if (each.options.some(({ long, short }) => long === name || short === name)) return true;
  }
  return false;
}

/** Checks only words that begin like an error code, because columns and other programs' constants look alike. */
function isUnknownErrorCode(code: string, { errorCodes, settings }: Known): boolean {
  if (!/^[A-Z]+(_[A-Z]+)+$/.test(code) || errorCodes.has(code) || settings.has(code)) return false;
  const family = code.slice(0, code.indexOf('_') + 1);
  return [...errorCodes].some((each) => each.startsWith(family));
}

function pathOf(file: string, target: string): string {
  const path = decodeURI(target.replace(/#.*$/s, ''));
  return path === '' ? file : normalize(join(dirname(file), path));
}
