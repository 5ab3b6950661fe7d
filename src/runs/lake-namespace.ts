import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { LonghaulError } from '../model/errors.ts';
import type { LakeIdentity } from '../model/lake-address.ts';
import { printable } from '../model/names.ts';
import { queuesOf } from '../model/run.ts';
import type { holdNamespace } from '../workflows/index.ts';

/**
 * While this run is open, it says which lake has the namespace. A worker that may start runs may start it, on any
 * Temporal. If workers of two lakes start it, only one gets the id.
 */
const WORKFLOW_ID = 'longhaul/lake';
/** Key of the lake in the run's memo. */
const LAKE = 'lake';

/**
 * Reserves the namespace for this lake. A worker calls it before it serves the namespace.
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
  // A worker of another lake may have been first.
  await assertNamespace(client, lake);
}

/**
 * Checks the namespace before work is given to this lake's workers. If no worker has served it yet, it has no lake.
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

/** Undefined if no worker has served the namespace yet, or if the operator terminated the run. */
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
