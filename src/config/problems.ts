import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';

/** A problem of the settings, and its place: `.env:3`, `datasets.yaml:12` or `environment`. */
export interface Problem {
  where: string;
  message: string;
}

/** Adds a problem at the place of the first of these keys that is set, else of the whole `.env`. */
export type Note = (message: string, ...keys: string[]) => void;

/** @throws LonghaulError CONFIG_INVALID with all problems in one message, each on its own line. */
export function assertNoProblems(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const count = problems.length === 1 ? 'One setting is' : `${problems.length} settings are`;
  const lines = problems.map(
    ({ where, message }) => `  ${printable(where)}: ${printable(message)}`,
  );
  throw new LonghaulError('CONFIG_INVALID', [`${count} not right:`, ...lines].join('\n'));
}

/** Returns untrusted text in quotes, cut to fit into a line. */
export function shown(text: string): string {
  const MAX_SHOWN_LENGTH = 80;
  const cut = text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
  return JSON.stringify(printable(cut));
}

/** Returns the message of what a check throws, or undefined if it throws nothing. */
export function messageOf(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Returns the known word that the user most likely meant, if one is near enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 4));
  const ranked = known
    .map((each) => ({ each, distance: editDistance(word.toLowerCase(), each.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  return ranked && ranked.distance <= limit ? ranked.each : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substituted));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
