import { inspect } from 'node:util';
import { LonghaulError } from '../model/errors.ts';

/** The secrets by the names of their variables. */
export type Secrets = Readonly<Record<string, string>>;

/** A shorter piece of a secret could also occur in a text by chance. */
const MIN_PIECE_LENGTH = 8;

/**
 * Returns the name of a secret that the text holds, also in part. A publisher may reorder the parameters of a signed
 * query, or write them with other escapes.
 */
export function secretHeldBy(text: string, secrets: Secrets): string | undefined {
  return formsOf(secrets).find(({ form }) => text.includes(form))?.name;
}

/** Replaces the secrets in a text by their names. */
function withoutSecrets(text: string, secrets: Secrets): string {
  let shown = text;
  for (const { name, form } of formsOf(secrets)) shown = shown.replaceAll(form, `\${${name}}`);
  return shown;
}

/** Returns the longest forms first, so that a piece does not replace a part of a whole secret. */
function formsOf(secrets: Secrets): { name: string; form: string }[] {
  return Object.entries(secrets)
    .flatMap(([name, value]) => {
      const pieces = value.split(/[&=?;/#]/).filter(({ length }) => length >= MIN_PIECE_LENGTH);
      const forms = [value, ...pieces].flatMap((each) => {
        const plain = decoded(each);
        return [each, plain, encodeURIComponent(each), encodeURIComponent(plain), encodeURI(plain)];
      });
      return [...new Set(forms)].map((form) => ({ name, form }));
    })
    .toSorted((a, b) => b.form.length - a.form.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Adds the source to any error of `work`, and removes the secrets of the source's address from it. */
export async function withSource<T>(
  source: string,
  secrets: Secrets,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = shownError(thrown, secrets);
    if (!(error instanceof LonghaulError) || error.details.source !== undefined) throw error;
    const { code, message, details } = error;
    throw new LonghaulError(code, message, { ...details, source }, { cause: error.cause ?? error });
  }
}

/** Returns the thrown error. If a publisher or Node repeats the address in it, returns a copy without the secrets. */
function shownError(thrown: unknown, secrets: Secrets): unknown {
  if (!(thrown instanceof Error) || secretHeldBy(inspect(thrown), secrets) === undefined) {
    return thrown;
  }
  const message = withoutSecrets(thrown.message, secrets);
  // The copy has no cause, because the cause may hold the secrets too.
  if (!(thrown instanceof LonghaulError)) return new Error(message);
  return new LonghaulError(thrown.code, message, thrown.details);
}
