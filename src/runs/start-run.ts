import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  arrayFromPayloads,
  defaultPayloadConverter,
  defineSearchAttributeKey,
} from '@temporalio/common';
import { shownAddress } from '../model/addresses.ts';
import { datedDataset } from '../model/dated-address.ts';
import { isHandInput, type HandInput } from '../model/run-input.ts';
import { ingestWorkflowId, SEARCH_ATTRIBUTES, type IngestInput } from '../model/run.ts';
import type { ScheduledInput } from '../model/schedule.ts';
import type { ingestDataset } from '../workflows/index.ts';

export interface StartedRun {
  handle: WorkflowHandle<typeof ingestDataset>;
  workflowId: string;
  runId: string;
  /** What the run was started with: not ours where another run of the day was under way. */
  input: IngestInput | HandInput;
  /** Who started it; undefined for the command line and for people. */
  startedBy: string | undefined;
}

/** The memo's key for `startedBy`. */
const STARTED_BY = 'startedBy';

/**
 * Starts the run of a dataset and day, or attaches to the one under way.
 * @param queue the lake's control queue. @param startedBy the workflow on whose behalf it is started.
 */
export async function startRun(
  client: Client,
  input: IngestInput,
  { queue, startedBy }: { queue: string; startedBy?: string },
): Promise<StartedRun> {
  const { dataset, ingestDate, mode } = input;
  const workflowId = ingestWorkflowId(dataset.name, ingestDate);
  const handle = await client.workflow.start<typeof ingestDataset>('ingestDataset', {
    taskQueue: queue,
    workflowId,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
    staticSummary: `${mode} ${dataset.name}, ${ingestDate}`,
    staticDetails: detailsOf(input),
    ...(startedBy !== undefined && { memo: { [STARTED_BY]: startedBy } }),
    ...(input.upsertSearchAttributes && { typedSearchAttributes: attributesOf(input) }),
  });
  const runId = handle.firstExecutionRunId;
  const started = await startOf(client, workflowId, runId);
  return { handle, workflowId, runId, ...started };
}

/** The input of a run, or of a schedule's, from the first event of its history: whatever is there, unchecked. */
export async function inputOf(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<Partial<IngestInput | HandInput | ScheduledInput> | undefined> {
  return (await startOf(client, workflowId, runId)).input;
}

/** Whether waiting for the run under way gives what was asked for. */
export function satisfies(running: IngestInput | HandInput, wanted: IngestInput): boolean {
  if (isHandInput(running)) return false;
  return (
    running.mode === wanted.mode &&
    running.engine === wanted.engine &&
    (running.again || !wanted.again) &&
    (running.accept || !wanted.accept) &&
    (running.asIf === true || wanted.asIf !== true)
  );
}

async function startOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<Pick<StartedRun, 'input' | 'startedBy'>> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const values = arrayFromPayloads(defaultPayloadConverter, started?.input?.payloads);
  const memo = started?.memo?.fields?.[STARTED_BY];
  const startedBy: unknown = memo ? defaultPayloadConverter.fromPayload(memo) : undefined;
  return {
    input: values[0] as IngestInput | HandInput,
    startedBy: typeof startedBy === 'string' ? startedBy : undefined,
  };
}

function attributesOf({ dataset, ingestDate }: IngestInput) {
  return [
    { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dataset, 'KEYWORD'), value: dataset.name },
    { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.ingestDate, 'KEYWORD'), value: ingestDate },
  ];
}

function detailsOf({ dataset, ingestDate, engine, again }: IngestInput): string {
  const sources = datedDataset(dataset, ingestDate).sources.map(({ id, address, optional }) => {
    return `- **${id}**${optional ? ' (optional)' : ''}: ${shownAddress(address)}`;
  });
  const how = `Engine ${engine}${again ? ', a new revision' : ''}.`;
  return [how, '', ...sources].join('\n');
}
