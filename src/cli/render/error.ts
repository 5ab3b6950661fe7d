import { hintOf, isRetryable, LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { RunError } from '../../model/run.ts';

/** Whatever was thrown, as an error of the catalogue. */
export function asLonghaulError(error: unknown): LonghaulError {
  if (error instanceof LonghaulError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LonghaulError('INTERNAL', printable(message), {}, { cause: error });
}

/** As the JSON of every command has it, under `error`. */
export function errorObject({ code, message, details }: LonghaulError): RunError {
  return {
    code,
    message,
    hint: hintOf(code, details),
    retryable: isRetryable(code),
    ...(details.source !== undefined && { source: details.source }),
    ...(details.log !== undefined && { log: details.log }),
  };
}

/** For people. What the program did not foresee comes with its stack: somebody will have to look. */
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
