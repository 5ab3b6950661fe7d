import { LonghaulError, type ErrorCode } from '../../../model/errors.ts';
import { printable } from '../../../model/names.ts';
import { fieldOf, listOf, numberOf, textOf } from '../json-fields.ts';
import { shownOf } from '../portal-client.ts';

/** How much of a server's sentence an error message quotes. */
const MAX_SENTENCE_LENGTH = 200;

/**
 * ArcGIS answers errors with the status 200.
 * @throws LonghaulError where the answer is one.
 */
export function assertNoError(url: URL, answer: unknown): void {
  // What the machine in front says where no server of the site is up: `messages`, and no `error`.
  const isDown =
    fieldOf(answer, 'status') === 'error' && Array.isArray(fieldOf(answer, 'messages'));
  const error = isDown ? answer : fieldOf(answer, 'error');
  if (error === undefined) return;
  const number = numberOf(error, 'code');
  const message = textOf(error, 'message') ?? listOf(error, 'messages').find(isText) ?? '';
  const sentence = printable(message.slice(0, MAX_SENTENCE_LENGTH).replace(/[.\s]+$/, ''));
  const said = [number, sentence].filter((each) => each !== undefined && each !== '').join(' ');
  throw new LonghaulError(
    codeOf(number, sentence),
    `${shownOf(url)} answered with an error${said === '' ? '' : `: ${said}`}.`,
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Most errors 400 are passing, whatever their number says: servers behind a load balancer, and databases that are busy. */
function codeOf(number: number | undefined, sentence: string): ErrorCode {
  if (number === 401 || number === 403 || number === 498 || number === 499) {
    return 'SOURCE_FORBIDDEN';
  }
  if (number === undefined && /permission|token/i.test(sentence)) return 'SOURCE_FORBIDDEN';
  const isUnknown = /invalid url|not found|does not exist/i.test(sentence);
  if (number === 404 || (number === 400 && isUnknown)) return 'SOURCE_NOT_FOUND';
  return 'SOURCE_UNAVAILABLE';
}

export function invalid(url: URL, what: string): LonghaulError {
  return new LonghaulError('PORTAL_ANSWER_INVALID', `${shownOf(url)} ${what}.`);
}

export function unusable(url: URL, what: string): LonghaulError {
  return new LonghaulError('PORTAL_UNUSABLE', `${shownOf(url)} ${what}.`);
}
