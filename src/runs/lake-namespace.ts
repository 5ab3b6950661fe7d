import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { LonghaulError } from '../model/errors.ts';
import type { LakeIdentity } from '../model/lake-address.ts';
import { printable } from '../model/names.ts';
import { queuesOf } from '../model/run.ts';
import type { holdNamespace } from '../workflows/index.ts';

/**
 * The run that says whose namespace it is, for as long as it is open: a worker that may start runs may start it, on any
 * Temporal, and of two lakes one gets the id.
 */
const WORKFLOW_ID = 'longhaul/lake';
/** The memo's key. */
const LAKE = 'lake';

/**
 * Makes the namespace this lake's, for a worker that is about to serve it.
 * @throws LonghaulError LAKE_NAMESPACE_TAKEN.
 */
export async function claimNamespace(client: Client, lake: LakeIdentity): Promise<void> {
  await assertNamespace(client, lake);
  await client.workflow.start<typeof holdNamespace>('holdNamespace', {
    taskQueue: queuesOf(lake.id).control,
    workflowId: WORKFLOW_ID,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [],
    memo: { [LAKE]: lake },
    staticSummary: `This namespace is used for the lake ${printable(lake.address)}`,
    staticDetails: 'Terminate this run to use the namespace for another lake.',
  });
  // Another lake's worker may have been first.
  await assertNamespace(client, lake);
}

/**
 * For what is to be done by this lake's workers. A namespace that no worker has served yet is no lake's yet.
 * @throws LonghaulError LAKE_NAMESPACE_TAKEN.
 */
export async function assertNamespace(client: Client, lake: LakeIdentity): Promise<void> {
  const holder = await lakeOfNamespace(client);
  if (holder === undefined || holder.id === lake.id) return;
  const { namespace } = client.options;
  throw new LonghaulError(
    'LAKE_NAMESPACE_TAKEN',
    `The namespace ${namespace} is used for the lake ${holder.address}, and not for ${printable(lake.address)}.`,
  );
}

/** Undefined where no worker has served it yet. */
export async function lakeOfNamespace(client: Client): Promise<LakeIdentity | undefined> {
  try {
    const { status, memo } = await client.workflow.getHandle(WORKFLOW_ID).describe();
    if (status.name !== 'RUNNING') return undefined;
    const { id, address } = (memo?.[LAKE] ?? {}) as Partial<LakeIdentity>;
    return { id: String(id), address: printable(String(address)) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
