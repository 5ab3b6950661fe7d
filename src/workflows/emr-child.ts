import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
import { emrWorkflowId } from '../model/emr-names.ts';
import type { EmrInput, EmrResult } from '../model/run.ts';

/** One child for all sources that wait for a cluster, so that none idles while something downloads. */
export async function convertPrepared(input: EmrInput): Promise<EmrResult> {
  const records = input.sources.reduce((sum, each) => sum + each.records, 0);
  return await executeChild<(input: EmrInput) => Promise<EmrResult>>('convertOnEmr', {
    workflowId: emrWorkflowId(input),
    args: [input],
    // A run that is terminated leaves its child, which ends the cluster.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    staticSummary: `${input.sources.length} sources, ${records} records, on one EMR cluster`,
  });
}
