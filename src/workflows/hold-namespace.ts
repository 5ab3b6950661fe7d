import { condition } from '@temporalio/workflow';

/** Says by its memo whose namespace this is, until somebody ends it. */
export async function holdNamespace(): Promise<void> {
  await condition(() => false);
}
