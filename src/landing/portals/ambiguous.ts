import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { Choice } from './description.ts';

/** Of a catalogue of thousands, a message names so many; the command that describes an address lists all. */
const MAX_NAMED = 20;

/** @param what such as `… has 3 CSV resources`. */
export function ambiguous(what: string, choices: readonly Choice[]): LonghaulError {
  return new LonghaulError('ADDRESS_AMBIGUOUS', `${what}: ${listed(choices)}.`);
}

/** For a message: the first addresses, each with its title. */
export function listed(choices: readonly Choice[]): string {
  const named = choices.slice(0, MAX_NAMED).map(({ address, title }) => {
    return `${printable(address)} (${printable(title.slice(0, 100))})`;
  });
  const others = choices.length - named.length;
  return `${named.join(', ')}${others > 0 ? `, and ${others} others` : ''}`;
}
