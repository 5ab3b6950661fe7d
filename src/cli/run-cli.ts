import { CommanderError, type Command } from 'commander';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { buildProgram } from './program.ts';
import { asLonghaulError, errorJson, errorText, wantsJson } from './render/error.ts';

/** Runs one command line. Never throws: every error is printed. @returns the exit code. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  let exitCode = 0;
  const program = buildProgram({ ...context, setExitCode: (code) => (exitCode = code) });
  try {
    if (argv.length === 0) program.help();
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error =
      thrown instanceof CommanderError ? ofUsage(thrown, argv, program) : asLonghaulError(thrown);
    if (wantsJson(argv)) await context.out(errorJson(error));
    else context.note(errorText(error));
    return exitCodeOf(error.code);
  }
}

function ofUsage(
  { code, message }: CommanderError,
  argv: readonly string[],
  program: Command,
): LonghaulError {
  // A command of commands was given none; commander has printed its help.
  const said = code === 'commander.help' ? 'One of its commands must follow' : message;
  const text = said.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  const command = program.commands.find((each) => argv.includes(each.name()))?.name();
  const hint = `longhaul ${command === undefined ? '' : `${command} `}--help has examples.`;
  const sentence = /[.?)]$/.test(text) ? text : `${text}.`;
  return new LonghaulError('USAGE', sentence.charAt(0).toUpperCase() + sentence.slice(1), { hint });
}
