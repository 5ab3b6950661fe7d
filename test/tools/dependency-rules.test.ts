import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

const CONFIG_FILES = ['.oxlintrc.json', '.dependency-cruiser.cjs', 'package.json', 'tsconfig.json'];
const ROOT = resolve(import.meta.dirname, '../..');

/** One file that breaks two rules. */
const TOO_MUCH = {
  file: 'src/cli/commands/worker.ts',
  text: `import '../../activities/good.ts';\nimport '../../workers/good.ts';`,
};

/** A made-up file that breaks each rule of .dependency-cruiser.cjs. The rest of the tree is the project's. */
const CRUISER_VIOLATIONS: Record<string, { file: string; text: string }> = {
  'model-reaches-too-far': reach('model', 'storage'),
  'workflows-reaches-too-far': reach('workflows', 'storage'),
  'programs-reaches-too-far': reach('programs', 'storage'),
  'storage-reaches-too-far': reach('storage', 'landing'),
  'csv-reaches-too-far': reach('csv', 'storage'),
  'landing-reaches-too-far': reach('landing', 'conversion'),
  'conversion-reaches-too-far': reach('conversion', 'activities'),
  'verification-reaches-too-far': reach('verification', 'lake'),
  'emr-reaches-too-far': reach('emr', 'landing'),
  'lake-reaches-too-far': reach('lake', 'cli'),
  'iceberg-reaches-too-far': reach('iceberg', 'emr'),
  'config-reaches-too-far': reach('config', 'lake'),
  'runs-reaches-too-far': reach('runs', 'storage'),
  'activities-reaches-too-far': reach('activities', 'workers'),
  'embedded-reaches-too-far': reach('embedded', 'workers'),
  'workers-reaches-too-far': reach('workers', 'cli'),
  'cli-reaches-too-far': reach('cli', 'workers'),
  'unknown-folder': { file: 'src/utils/bad.ts', text: `import '../model/good.ts';` },
  'process-command-reaches-too-far': TOO_MUCH,
  'process-command-loads-workers-late': TOO_MUCH,
  'model-is-pure': { file: 'src/model/impure.ts', text: `import 'node:fs';` },
  'csv-is-pure': { file: 'src/csv/impure.ts', text: `import 'node:fs';` },
  'workflows-packages': { file: 'src/workflows/impure.ts', text: `import 'zod';` },
  'footers-by-another-reader': {
    file: 'src/verification/by-the-writer.ts',
    text: `import 'parquetjs-lite';`,
  },
  'src-stands-alone': { file: 'src/lake/tested.ts', text: `import '../../test/good.ts';` },
  'only-run-time-dependencies': { file: 'src/lake/dev.ts', text: `import 'fast-check';` },
  resolvable: { file: 'src/lake/lost.ts', text: `import './nowhere.ts';` },
};

const OXLINT_VIOLATIONS: Record<string, { file: string; text: string }> = {
  'import(no-cycle) in lake': {
    file: 'src/lake/cycle-back.ts',
    text: `import { one } from './cycle.ts';\nexport const two = (): unknown => one;`,
  },
  'eslint(no-restricted-imports) in workflows': {
    file: 'src/workflows/runs.ts',
    text: `import { good } from '../activities/good.ts';\nexport const used = good;`,
  },
  'eslint(no-restricted-imports) in landing': {
    file: 'src/landing/runs.ts',
    text: `import { good } from '../config/good.ts';\nexport const used = good;`,
  },
  'eslint(no-restricted-imports) in cli': {
    file: 'src/cli/runs.ts',
    text: `import { good } from '../workflows/good.ts';\nexport const used = good;`,
  },
  'import(no-nodejs-modules) in workflows': {
    file: 'src/workflows/node.ts',
    text: `import { sep } from 'node:path';\nexport const used = sep;`,
  },
  'import(no-cycle) in lake, the other half': {
    file: 'src/lake/cycle.ts',
    text: `import { two } from './cycle-back.ts';\nexport const one = (): unknown => two;`,
  },
  'node(no-process-env) in lake': {
    file: 'src/lake/environment.ts',
    text: `export const used = process.env['HOME'];`,
  },
  'typescript(no-floating-promises) in lake': {
    file: 'src/lake/floating.ts',
    text: `export function used(): void {\n  Promise.resolve(1);\n}`,
  },
  'typescript(no-explicit-any) in lake': {
    file: 'src/lake/any.ts',
    text: `export function used(value: any): void {\n  console.log(value);\n}`,
  },
  'typescript(switch-exhaustiveness-check) in lake': {
    file: 'src/lake/switch.ts',
    text: `export function used(value: 'a' | 'b'): void {\n  switch (value) {\n    case 'a':\n      break;\n  }\n}`,
  },
  'eslint(max-lines) in lake': {
    file: 'src/lake/long.ts',
    text: Array.from({ length: 301 }, (_, index) => `export const n${index} = ${index};`).join(
      '\n',
    ),
  },
};

/** Imports that the rules must allow. */
const ALLOWED: Record<string, { file: string; text: string }> = {
  'types of activities, and the workflow package': {
    file: 'src/workflows/allowed.ts',
    text: `import type { good } from '../activities/good.ts';\nimport { proxyActivities } from '@temporalio/workflow';\nexport const used = proxyActivities<{ good: typeof good }>;`,
  },
  'types of settings': {
    file: 'src/landing/allowed.ts',
    text: `import { sep } from 'node:path';\nimport type { good } from '../config/good.ts';\nexport const used: typeof good | string = sep;`,
  },
  'the command that is a worker': {
    file: 'src/cli/commands/worker.ts',
    text: `export async function used(): Promise<unknown> {\n  return import('../../workers/good.ts');\n}`,
  },
  'the environment, in src/config': {
    file: 'src/config/allowed.ts',
    text: `export const used = process.env['HOME'];`,
  },
};

function reach(from: string, to: string): { file: string; text: string } {
  return { file: `src/${from}/bad.ts`, text: `import '../${to}/good.ts';` };
}

describe('each rule of the house is enforced', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longhaul-rules-'));
    for (const file of CONFIG_FILES) await copyFile(join(ROOT, file), join(folder, file));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('dependency-cruiser catches a violation of every rule that it has', async () => {
    const tree = join(folder, 'cruised');
    await plant(tree, CRUISER_VIOLATIONS);
    const found = await cruise(tree, folder);
    for (const [rule, { file }] of Object.entries(CRUISER_VIOLATIONS)) {
      assert.ok(found.has(`${rule} ${file}`), `${rule} does not catch ${file}`);
    }
    assert.deepEqual(Object.keys(CRUISER_VIOLATIONS).toSorted(), ruleNames().toSorted());
  });

  test('oxlint catches what it is to catch', async () => {
    const tree = join(folder, 'linted');
    await plant(tree, OXLINT_VIOLATIONS);
    const found = await lint(tree, folder);
    for (const [rule, { file }] of Object.entries(OXLINT_VIOLATIONS)) {
      assert.ok(found.has(`${rule.split(' ')[0]} ${file}`), `${rule} does not catch ${file}`);
    }
  });

  test('what the rules allow passes both', async () => {
    const tree = join(folder, 'allowed');
    await plant(tree, ALLOWED);
    assert.deepEqual([...(await cruise(tree, folder))], []);
    assert.deepEqual([...(await lint(tree, folder))], []);
  });
});

async function plant(tree: string, violations: typeof CRUISER_VIOLATIONS): Promise<void> {
  const folders = ruleNames()
    .filter((name) => name.endsWith('-reaches-too-far') && !name.startsWith('process'))
    .map((name) => `src/${name.replace('-reaches-too-far', '')}`);
  const good = [...folders, 'test'].map((each) => ({
    file: `${each}/good.ts`,
    text: 'export const good = 1;',
  }));
  for (const { file, text } of [...good, ...Object.values(violations)]) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), `${text}\n`);
  }
}

function ruleNames(): string[] {
  const config = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
    forbidden: { name: string }[];
  };
  return config.forbidden.map((rule) => rule.name);
}

/** @returns `rule file` for every violation. */
async function cruise(tree: string, folder: string): Promise<Set<string>> {
  await copyFile(join(folder, 'package.json'), join(tree, 'package.json'));
  const output = await outputOf(
    'depcruise',
    ['src', '--config', join(folder, '.dependency-cruiser.cjs'), '--output-type', 'json'],
    tree,
  );
  const report = JSON.parse(output) as {
    summary: { violations: { from: string; rule: { name: string } }[] };
  };
  return new Set(report.summary.violations.map(({ from, rule }) => `${rule.name} ${from}`));
}

/** @returns `plugin(rule) file` for every finding. */
async function lint(tree: string, folder: string): Promise<Set<string>> {
  for (const file of CONFIG_FILES) await copyFile(join(folder, file), join(tree, file));
  const output = await outputOf('oxlint', ['--format', 'json'], tree);
  const report = JSON.parse(output) as { diagnostics: { filename: string; code: string }[] };
  return new Set(report.diagnostics.map(({ filename, code }) => `${code} ${filename}`));
}

/** Runs a program. Both programs end with an exit code other than 0 if they find something. */
function outputOf(program: string, args: string[], cwd: string): Promise<string> {
  const path = join(ROOT, 'node_modules/.bin', program);
  return new Promise((done) => {
    execFile(path, args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) => done(stdout));
  });
}
