import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { problemsOf } from '../../tools/docs/problems.ts';

const program = new Command('longhaul');
program.command('ingest').option('--date <day>').option('-j, --json');
program.command('up').option('--background');

const KNOWN = {
  program,
  scripts: new Set(['demo', 'test']),
  errorCodes: new Set(['SOURCE_EMPTY', 'DISK_FULL']),
  settings: new Set(['SOURCE_CONCURRENCY']),
  exists: (path: string) => path === 'docs/here.md' || path === 'README.md',
};

test('what exists passes: commands, options, scripts, links, error codes', () => {
  const text = [
    '`longhaul ingest <dataset> [--date YYYY-MM-DD] --json`, `npx longhaul up --background`, `longhaul --help`',
    '```sh',
    '$ DATA_DIR=/tmp/x npx longhaul ingest denver-311 --date=2026-01-01 | jq . --slurp',
    'npm run demo -- --size 20MB   # npm run other',
    'npm test',
    '```',
    '[here](here.md#top), [up](../README.md), [web](https://example.org/x), `SOURCE_EMPTY`, `SOURCE_CONCURRENCY`,',
    '`OFFENSE_ID`',
  ].join('\n');
  assert.deepEqual(problemsOf('docs/guide.md', text, KNOWN), []);
});

test('what does not exist is named with its line', () => {
  const text = [
    '`longhaul fly`',
    '`longhaul ingest --fast`',
    '`npm run nothing`',
    '[gone](gone.md)',
    '`SOURCE_GONE`',
    '```',
    'longhaul up --json',
    '```',
  ].join('\n');
  const problems = problemsOf('docs/guide.md', text, KNOWN);
  assert.deepEqual(
    problems.map((each) => each.slice(0, 'docs/guide.md:1'.length)).toSorted(),
    [1, 2, 3, 4, 5, 7].map((line) => `docs/guide.md:${line}`),
  );
});
