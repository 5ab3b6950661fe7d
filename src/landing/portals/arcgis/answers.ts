import { LonghaulError, type ErrorCode } from '../../../model/errors.ts';
import { printable } from '../../../model/names.ts';
import { fieldOf, listOf, numberOf, textOf, type ExactJson } from '../json.ts';
import { shownOf, type PortalClient } from '../portal-client.ts';

/** How much of a server's sentence an error message quotes. */
const MAX_SENTENCE_LENGTH = 200;

/** Requests the metadata of a layer, a service or an item. @throws LonghaulError as `assertNoError`. */
export async function metadataOf(
  url: URL,
  client: PortalClient,
  isPortal = false,
): Promise<ExactJson> {
  const form = new URLSearchParams({ f: 'json' });
  return await client.json(url, { form, isPortal }, (json) => {
    assertNoError(url, json);
    return json;
  });
}

/** @throws LonghaulError if the answer is an error. */
export function assertNoError(url: URL, answer: unknown): void {
  const error = errorIn(answer);
  if (error) throw failureOf(url, error);
}

export interface ServerError {
  number: number | undefined;
  sentence: string;
}

/** Finds the error in an answer. ArcGIS sends errors with the status 200. */
export function errorIn(answer: unknown): ServerError | undefined {
  // If no server of the site is up, the gateway's answer has `messages` and no `error`.
  const isDown =
    fieldOf(answer, 'status') === 'error' && Array.isArray(fieldOf(answer, 'messages'));
  const error = isDown ? answer : fieldOf(answer, 'error');
  if (error === undefined) return undefined;
  const message = textOf(error, 'message') ?? listOf(error, 'messages').find(isText) ?? '';
  const sentence = printable(message.slice(0, MAX_SENTENCE_LENGTH).replace(/[.\s]+$/, ''));
  return { number: numberOf(error, 'code'), sentence };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function failureOf(url: URL, error: ServerError): LonghaulError {
  const { number, sentence } = error;
  const said = [number, sentence].filter((each) => each !== undefined && each !== '').join(' ');
  const what = `${shownOf(url)} answered with an error${said === '' ? '' : `: ${said}`}.`;
  return new LonghaulError(codeOf(error), what);
}

/** Most errors with the number 400 pass. They come from busy databases, or from one server behind a load balancer. */
function codeOf({ number, sentence }: ServerError): ErrorCode {
  if (needsLogin(number)) return 'SOURCE_FORBIDDEN';
  if (number === undefined && /permission|token/i.test(sentence)) return 'SOURCE_FORBIDDEN';
  const isUnknown = /invalid url|not found|does not exist/i.test(sentence);
  if (number === 404 || (number === 400 && isUnknown)) return 'SOURCE_NOT_FOUND';
  return 'SOURCE_UNAVAILABLE';
}

export function needsLogin(number: number | undefined): boolean {
  return number === 401 || number === 403 || number === 498 || number === 499;
}

export function invalid(url: URL, what: string): LonghaulError {
  return new LonghaulError('PORTAL_ANSWER_INVALID', `${shownOf(url)} ${what}.`);
}

export function unusable(url: URL, what: string): LonghaulError {
  return new LonghaulError('PORTAL_UNUSABLE', `${shownOf(url)} ${what}.`);
}
