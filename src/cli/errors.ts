import { exitCodeOf, hintOf, isRetryable, LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { storageError } from '../storage/disk-errors.ts';
import type { RunError } from '../model/run.ts';
import type { CliContext } from './command.ts';

export function asLonghaulError(error: unknown): LonghaulError {
  if (error instanceof LonghaulError) return error;
  const { code = '', path = 'a file' } = (error ?? {}) as NodeJS.ErrnoException;
  const ofSystem = SYSTEM_CODES.has(code) ? storageError(error, path) : undefined;
  if (ofSystem instanceof LonghaulError) return ofSystem;
  const message = error instanceof Error ? error.message : String(error);
  return new LonghaulError('INTERNAL', printable(message), {}, { cause: error });
}

/** System error codes that mean the same for every operation on a file. */
const SYSTEM_CODES = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ENFILE']);

/** Prints an error: as JSON on standard output if the command line asks for JSON. @returns the exit code. */
export async function tellError(
  argv: readonly string[],
  error: LonghaulError,
  { out, note }: Pick<CliContext, 'out' | 'note'>,
): Promise<number> {
  if (wantsJson(argv)) await out(`${JSON.stringify({ error: errorObject(error) })}\n`);
  else note(errorText(error));
  return exitCodeOf(error.code);
}

/** Looks at the raw words, because the error of a command line that does not parse may have to be JSON too. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return words.some(
    (word, index) =>
      word === '--json' ||
      word === '--format=json' ||
      (word === '--format' && words[index + 1] === 'json'),
  );
}

/** The value of `error` in the JSON of every command. */
export function errorObject({ code, message, details }: LonghaulError): RunError {
  return {
    code,
    message,
    hint: hintOf(code, details),
    retryable: isRetryable(code),
    source: details.source,
    log: details.log,
  };
}

/** Text for the user. An INTERNAL error has its stack, which the user can put into a bug report. */
export function errorText(error: LonghaulError): string {
  const { code, message, hint, source } = errorObject(error);
  const lines = [`${code}${source === undefined ? '' : ` (${source})`}: ${safeLines(message)}`];
  if (hint !== '') lines.push(`→ ${safeLines(hint)}`);
  const { cause } = error;
  if (code === 'INTERNAL' && cause instanceof Error && cause.stack)
    lines.push(safeLines(cause.stack));
  return lines.join('\n');
}

function safeLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n');
}
