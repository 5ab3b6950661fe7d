/** `npm run docs:check`: checks that all commands, options, scripts, files and error codes in the documents exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CliContext } from '../src/cli/command.ts';
import { buildProgram } from '../src/cli/program.ts';
import { LIBRARY_KEYS } from '../src/config/temporal-settings.ts';
import { ERROR_CATALOGUE } from '../src/model/errors.ts';
import { type Known, pointerProblems, problemsOf } from './docs/problems.ts';
import { anchorsOf } from './docs/markdown.ts';
import { ERROR_DOCS_FILE, errorDocs } from './error-docs.ts';

/** The check only reads the tree of commands and runs none of them. */
const CONTEXT = { version: '0.0.0' } as CliContext;

const problems = [...(await staleErrorDocs())];
const known = whatExists();
for (const file of documents())
  problems.push(...problemsOf(file, readFileSync(file, 'utf8'), known));
for (const file of sources())
  problems.push(...pointerProblems(file, readFileSync(file, 'utf8'), known));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

function documents(): string[] {
  const guides = existsSync('docs')
    ? readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name))
    : [];
  return ['README.md', 'CONTRIBUTING.md', ...guides].filter(
    (file) => file.endsWith('.md') && existsSync(file),
  );
}

/** The program's sources are checked too, because its messages point to documents. */
function sources(): string[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name));
}

async function staleErrorDocs(): Promise<string[]> {
  const written = existsSync(ERROR_DOCS_FILE) ? readFileSync(ERROR_DOCS_FILE, 'utf8') : '';
  if (written === (await errorDocs())) return [];
  return [`${ERROR_DOCS_FILE} is stale: run npm run docs:errors.`];
}

function whatExists(): Known {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const example = existsSync('.env.example') ? readFileSync('.env.example', 'utf8') : '';
  const settings = Array.from(
    example.matchAll(/^#?\s*([A-Z][A-Z0-9_]+)=/gm),
    ([, key]) => key ?? '',
  );
  return {
    program: buildProgram(CONTEXT),
    scripts: new Set(Object.keys(scripts)),
    errorCodes: new Set(Object.keys(ERROR_CATALOGUE)),
    settings: new Set([...settings, ...LIBRARY_KEYS]),
    exists: existsSync,
    anchors: (path) => anchorsOf(readFileSync(path, 'utf8')),
  };
}
