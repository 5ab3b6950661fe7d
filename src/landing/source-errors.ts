import { inspect } from 'node:util';
import { LonghaulError } from '../model/errors.ts';
import { secretHeldBy, withoutSecrets, type Secrets } from './secrets.ts';

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

/** What was thrown, or, where a publisher or Node repeats the address in it, one like it that is fit to be shown. */
function shownError(thrown: unknown, secrets: Secrets): unknown {
  if (!(thrown instanceof Error) || secretHeldBy(inspect(thrown), secrets) === undefined) {
    return thrown;
  }
  const message = withoutSecrets(thrown.message, secrets);
  // Without the cause, which may hold them as well.
  if (!(thrown instanceof LonghaulError)) return new Error(message);
  return new LonghaulError(thrown.code, message, thrown.details);
}
