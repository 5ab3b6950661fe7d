import { inspect } from 'node:util';
import { LonghaulError } from '../model/errors.ts';

/** By the name of the variable. */
export type Secrets = Readonly<Record<string, string>>;

/** A shorter piece of a secret could be anything. */
const MIN_PIECE_LENGTH = 8;

/**
 * The name of the secret that a text holds, also in part: a publisher may put the parameters of a signed query into
 * another order, or write them with other escapes.
 */
export function secretHeldBy(text: string, secrets: Secrets): string | undefined {
  return formsOf(secrets).find(({ form }) => text.includes(form))?.name;
}

/** The text with the names of the secrets in place of them. */
function withoutSecrets(text: string, secrets: Secrets): string {
  let shown = text;
  for (const { name, form } of formsOf(secrets)) shown = shown.replaceAll(form, `\${${name}}`);
  return shown;
}

/** Longest first, so that no piece takes the place of the whole. */
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

/** Whatever goes wrong inside, the error names the source that is to blame, and not the secrets of its address. */
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

/** The thrown error, or, where a publisher or Node repeats the address in it, a copy without the secrets. */
function shownError(thrown: unknown, secrets: Secrets): unknown {
  if (!(thrown instanceof Error) || secretHeldBy(inspect(thrown), secrets) === undefined) {
    return thrown;
  }
  const message = withoutSecrets(thrown.message, secrets);
  // Without the cause, which may hold them as well.
  if (!(thrown instanceof LonghaulError)) return new Error(message);
  return new LonghaulError(thrown.code, message, thrown.details);
}
