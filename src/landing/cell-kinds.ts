/** What a text looks like: roughly, for telling a table's header and delimiter, not for its types. */
export type CellKind = 'blank' | 'integer' | 'number' | 'moment' | 'text';

const INTEGER = /^[-+]?\d+$/;
/** Thousands, decimal commas, money and percents included. */
const NUMBER = /^[-+(]?[$£]?(?:\d{1,3}(?:[,. ]\d{3})+|\d+)?(?:[.,]?\d+)(?:[eE][-+]?\d+)?%?\)?$/;
const DAY = String.raw`(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))`;
const TIME = String.raw`\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AP]M)?(?: ?(?:Z|UTC|[-+]\d{2}:?\d{2}))?`;
const MOMENT = new RegExp(`^(?:${DAY}(?:[ T]${TIME})?|${TIME})$`, 'i');

export function kindOf(text: string): CellKind {
  const trimmed = text.trim();
  if (trimmed === '') return 'blank';
  // Nearly all texts are settled by their first letters.
  if (!/^[-+($£]?[.,\d]/.test(trimmed)) return 'text';
  if (INTEGER.test(trimmed)) return 'integer';
  if (NUMBER.test(trimmed)) return 'number';
  return MOMENT.test(trimmed) ? 'moment' : 'text';
}

/** A number, day or time. */
export function isTyped(text: string): boolean {
  const kind = kindOf(text);
  return kind === 'integer' || kind === 'number' || kind === 'moment';
}
