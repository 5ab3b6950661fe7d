import { condition } from '@temporalio/workflow';

/** Says by its memo whose namespace this is, until an operator ends it. */
export async function holdNamespace(): Promise<void> {
  await condition(() => false);
}
