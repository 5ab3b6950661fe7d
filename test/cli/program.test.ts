import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildProgram } from '../../src/cli/program.ts';
import type { LonghaulError } from '../../src/model/errors.ts';
import { contextOf, workplace } from './fake-context.ts';

const place = workplace();

const program = buildProgram(contextOf());
const visible = program.createHelp().visibleCommands(program);
const schedule = visible.find((command) => command.name() === 'schedule');
const ofSchedule = schedule?.commands ?? [];
const nested = visible.flatMap(({ commands }) => commands);

void test('the commands are those that the documentation promises, and the host is hidden', () => {
  const names = visible.map((command) => command.name()).toSorted();
  assert.equal(
    names.join(' '),
    'add cancel catalog convert datasets doctor down help ingest init inspect land query retry runs schedule show status sweep table unpublish up verify worker',
  );
  assert.ok(program.commands.some((command) => command.name() === '__host'));
});

void test('schedule has a command for everything that can be done with one', () => {
  const names = ofSchedule.map((command) => command.name());
  assert.equal(names.join(' '), 'apply list pause resume trigger backfill remove');
});

for (const command of [...visible, ...nested]) {
  void test(`longhaul ${command.name()} --help describes every option, with an example`, () => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const parent = nested.includes(command) ? `${command.parent?.name()} ` : '';
    assert.match(help, new RegExp(`\\$ longhaul ${parent}${command.name()}`));
    assert.notEqual(command.summary(), '');
    for (const option of command.options) assert.notEqual(option.description, '', option.flags);
  });
}

void test('every command that prints a result can print JSON', () => {
  const without = [...visible, ...nested]
    .filter((command) => !command.options.some((option) => option.long === '--json'))
    .map((command) => command.name());
  assert.deepEqual(without, ['catalog', 'schedule', 'worker', 'help']);
});

for (const argv of [
  ['ingest'],
  ['ingest', 'd', '--nosuch'],
  ['nosuch'],
  ['ingest', 'd', '--engine', 'sprak'],
  ['query'],
  ['query', 'SELECT 1', '--format', 'xml'],
  ['query', 'SELECT 1', '--limit', '0'],
  ['runs', 'extra'],
]) {
  void test(`longhaul ${argv.join(' ')} is an error of usage, in words and in JSON`, async () => {
    const words = await place.run(...argv);
    assert.equal(words.exitCode, 2);
    assert.equal(words.stdout, '');
    assert.match(words.stderr, /^USAGE: .*\n→ longhaul .*--help has examples\.\n$/);

    const json = await place.run(...argv, '--json');
    assert.equal(json.exitCode, 2);
    assert.equal(json.stderr, '');
    const { error } = JSON.parse(json.stdout) as { error: Record<string, unknown> };
    assert.deepEqual(Object.keys(error), ['code', 'message', 'hint', 'retryable']);
    assert.equal(error['code'], 'USAGE');
  });
}

void test('a misspelt command is answered with the nearest one', async () => {
  assert.match((await place.run('ingst')).stderr, /Did you mean ingest\?/);
  assert.match((await place.run('ingest', 'd', '--jsn')).stderr, /Did you mean --json\?/);
});

void test('a word after -- is no option', async () => {
  const ran = await place.run('datasets', '--', '--json');
  assert.equal(ran.exitCode, 2);
  assert.equal(ran.stdout, '');
});

void test('help <command> prints what <command> --help prints', async () => {
  for (const [words, usage] of [
    [[], 'Usage: longhaul [options] [command]'],
    [['ingest'], 'Usage: longhaul ingest'],
    [['schedule', 'backfill'], 'Usage: longhaul schedule backfill'],
  ] as const) {
    const output = await printed(['help', ...words]);
    assert.ok(output.startsWith(usage), output);
    assert.equal(output, await printed([...words, '--help']));
  }
  const { stderr, exitCode } = await place.run('help', 'schedule', 'ingest');
  assert.equal(exitCode, 2);
  assert.match(stderr, /There is no command ingest; there are apply, list/);
});

for (const argv of [
  ['ingest', 'trees'],
  ['land', 'trees'],
  ['convert', 'trees'],
  ['datasets'],
  ['verify', 'trees'],
  ['query', 'SELECT 1'],
]) {
  void test(`longhaul ${argv.join(' ')} refuses a --lake that is no address, at once`, async () => {
    const { exitCode, stdout } = await place.run(...argv, '--lake', 'gs://b', '--json');
    assert.equal(exitCode, 2);
    const { error } = JSON.parse(stdout) as { error: LonghaulError };
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.match(error.message, /--lake: LAKE must be a folder, or s3:/);
  });
}

void test('--lake goes before the command and behind it, and every --help has it', async () => {
  for (const argv of [
    ['--lake', 'other', 'datasets'],
    ['datasets', '--lake', 'other'],
  ]) {
    assert.equal((await place.run(...argv, '--json')).exitCode, 0);
  }
  for (const name of ['ingest', 'query', 'worker']) {
    let output = '';
    const command = buildProgram(contextOf()).commands.find((each) => each.name() === name);
    command?.configureOutput({ writeOut: (text) => (output += text) }).outputHelp();
    assert.match(output, /--lake <address> +the lake: a folder, or s3:\/\/bucket\/prefix/);
  }
});

void test('--target is gone, and said so', async () => {
  const { exitCode, stderr } = await place.run('datasets', '--target', 's3');
  assert.equal(exitCode, 2);
  assert.match(stderr, /^USAGE: Unknown option '--target'/);
});

/** Runs the program and collects its standard output. Commander writes help to the process's own output. */
async function printed(argv: string[]): Promise<string> {
  const tree = buildProgram(contextOf());
  let output = '';
  for (const each of [tree, ...tree.commands].flatMap((one) => [one, ...one.commands])) {
    each.configureOutput({ writeOut: (text) => (output += text) });
  }
  await tree.parseAsync(argv, { from: 'user' }).catch((error: unknown) => {
    assert.equal((error as { exitCode?: number }).exitCode, 0);
  });
  return output;
}
