import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { Choice } from './description.ts';

/** Of a catalogue of thousands, a message names so many; the command that describes an address lists all. */
const MAX_NAMED = 20;

/** @param what such as `… has 3 CSV resources`. */
export function ambiguous(what: string, choices: readonly Choice[]): LonghaulError {
  const named = choices.slice(0, MAX_NAMED).map(({ address, title }) => {
    return `${printable(address)} (${printable(title.slice(0, 100))})`;
  });
  const others = choices.length - named.length;
  const rest = others > 0 ? `, and ${others} others` : '';
  return new LonghaulError('ADDRESS_AMBIGUOUS', `${what}: ${named.join(', ')}${rest}.`);
}
