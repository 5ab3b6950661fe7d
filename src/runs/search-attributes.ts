import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../model/run.ts';

/** Temporal answers within milliseconds, or is away. */
const ANSWER_TIMEOUT_MS = 5000;

/** An unknown one would make a start fail, and asking may be forbidden: then runs go without. */
export async function hasSearchAttributes({ connection, options }: Client): Promise<boolean> {
  const { namespace } = options;
  try {
    const { customAttributes } = await connection.withDeadline(
      Date.now() + ANSWER_TIMEOUT_MS,
      async () => await connection.operatorService.listSearchAttributes({ namespace }),
    );
    const names = Object.keys(customAttributes ?? {});
    return Object.values(SEARCH_ATTRIBUTES).every((name) => names.includes(name));
  } catch {
    return false;
  }
}
