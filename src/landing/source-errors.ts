import { LonghaulError } from '../model/errors.ts';

/** Whatever goes wrong inside, the error names the source that is to blame. */
export async function withSource<T>(source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LonghaulError) || error.details.source !== undefined) throw error;
    const { code, message, details } = error;
    throw new LonghaulError(code, message, { ...details, source }, { cause: error.cause ?? error });
  }
}
