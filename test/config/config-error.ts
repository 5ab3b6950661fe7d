import assert from 'node:assert/strict';
import type { LonghaulError } from '../../src/model/errors.ts';

/** What the user reads of the CONFIG_INVALID that an act throws; fails where it throws another error, or none. */
export function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.equal((error as LonghaulError).code, 'CONFIG_INVALID');
    return (error as Error).message;
  }
  return assert.fail('nothing was thrown');
}
