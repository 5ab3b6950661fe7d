import assert from 'node:assert/strict';
import type { SparkRunner } from '../../src/conversion/spark/sessions.ts';

/** For tests of the other engines. */
export const notSpark: SparkRunner = async () =>
  await Promise.reject(new assert.AssertionError({ message: 'Spark has nothing to do here' }));
