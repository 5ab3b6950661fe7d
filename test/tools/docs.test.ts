import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { anchorsOf } from '../../tools/docs/markdown.ts';
import { pointerProblems, problemsOf } from '../../tools/docs/problems.ts';

const program = new Command('longhaul');
program.command('ingest').option('--date <day>').option('-j, --json');
program.command('up').option('--background');

const KNOWN = {
  program,
  scripts: new Set(['demo', 'test']),
  errorCodes: new Set(['SOURCE_EMPTY', 'DISK_FULL']),
  settings: new Set(['SOURCE_CONCURRENCY']),
  exists: (path: string) => path === 'docs/here.md' || path === 'README.md',
  anchors: () => anchorsOf('# Top\n## `A` & [b](c)\n## Top\n```\n# none\n```\n'),
};

test('documents that name what exists pass: commands, options, scripts, links, error codes', () => {
  const text = [
    '`longhaul ingest <dataset> [--date YYYY-MM-DD] --json`, `npx longhaul up --background`, `longhaul --help`',
    '```sh',
    '$ LAKE=/tmp/x npx longhaul ingest denver-311 --date=2026-01-01 | jq . --slurp',
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

test('a link or pointer to a passage that is not there is named, in messages of the program too', () => {
  const text = [
    '[one](here.md#top), [two](here.md#top-1), [three](here.md#a--b), docs/here.md#top',
    '[none](here.md#none)',
    'see docs/here.md#nothing',
    'see docs/gone.md',
  ].join('\n');
  assert.deepEqual(problemsOf('docs/guide.md', text, KNOWN), [
    'docs/guide.md:2 links to here.md#none, which is not there',
    'docs/guide.md:3 points to docs/here.md#nothing, which is not there',
    'docs/guide.md:4 points to docs/gone.md, which is not there',
  ]);
  assert.deepEqual(pointerProblems('src/a.ts', "'docs/here.md#gone has it'", KNOWN), [
    'src/a.ts:1 points to docs/here.md#gone, which is not there',
  ]);
});
