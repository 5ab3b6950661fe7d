/**
 * The reporter of `npm run coverage`: shows the counts of node:test for the folders with tests. Workflows run in
 * Temporal's sandbox, so their counts are those of the tests' bundle. webpack marks where each module starts in it.
 * Lines are those of the compiled JavaScript.
 */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

interface Counter {
  line: number;
  count: number;
}

type Kind = 'lines' | 'branches' | 'functions';
type Coverage = { path: string } & Record<Kind, readonly Counter[]>;

const KINDS: readonly Kind[] = ['lines', 'branches', 'functions'];
const FOLDERS = new Set(['src/csv', 'src/model', 'src/workflows']);
/** test/helpers/temporal.ts writes this file. */
const BUNDLE = resolve('.built/workflow-bundle.js');
const MODULE = /^\/\*{3}\/ "\.\/(?:\.built\/)?(.*)"/;

// oxlint-disable-next-line import/no-default-export -- node:test takes the default export.
export default async function* report(events: AsyncIterable<TestEvent>): AsyncIterable<string> {
  for await (const { type, data } of events) {
    if (type === 'test:fail') yield `failed: ${data.name}\n`;
    if (type === 'test:coverage') yield tableOf(data.summary.files.flatMap(modulesOf));
  }
}

function modulesOf(file: Coverage): Coverage[] {
  if (file.path === BUNDLE) return bundledModules(file).filter(isWorkflow);
  const path = relative('.built', file.path);
  return isWorkflow({ path }) ? [] : [{ ...file, path }];
}

/** Workflows outside the bundle are not counted, because other code uses only their constants. */
function isWorkflow({ path }: { path: string }): boolean {
  return path.startsWith('src/workflows/');
}

function bundledModules({ path, ...counters }: Coverage): Coverage[] {
  const starts = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text, index) => {
      const name = MODULE.exec(text)?.[1];
      return name === undefined ? [] : [{ name, line: index + 1 }];
    });
  return starts.map(({ name, line: start }, index) => {
    const end = starts[index + 1]?.line ?? Number.POSITIVE_INFINITY;
    const within = (kind: Kind) => counters[kind].filter(({ line }) => line >= start && line < end);
    return {
      path: name,
      lines: within('lines'),
      branches: within('branches'),
      functions: within('functions'),
    };
  });
}

function tableOf(modules: readonly Coverage[]): string {
  const rows = [...FOLDERS].flatMap((folder) => {
    const own = modules.filter(({ path }) => dirname(path) === folder);
    const partly = own.filter((each) => KINDS.some((kind) => each[kind].some(isMissed)));
    return [rowOf(folder, own), ...partly.map((each) => rowOf(`  ${each.path}`, [each]))];
  });
  return [['', ...KINDS].map(cell).join(''), ...rows, ''].join('\n');
}

function rowOf(title: string, modules: readonly Coverage[]): string {
  const shares = KINDS.map((kind) => {
    const all = modules.flatMap((each) => each[kind]);
    return `${(100 * (1 - all.filter(isMissed).length / all.length)).toFixed(1)} %`;
  });
  return [title, ...shares].map(cell).join('');
}

function cell(text: string, column: number): string {
  return column === 0 ? text.padEnd(36) : text.padStart(11);
}

function isMissed({ count }: Counter): boolean {
  return count === 0;
}
