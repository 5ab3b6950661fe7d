import assert from 'node:assert/strict';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';

/** Returns the error of the catalogue with which the work must fail. */
export async function failureWith(work: Promise<unknown>, code: ErrorCode): Promise<LonghaulError> {
  const caught = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(caught instanceof LonghaulError, `${code} expected, got ${String(caught)}`);
  assert.equal(caught.code, code, caught.message);
  return caught;
}
