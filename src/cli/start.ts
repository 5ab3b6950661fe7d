import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  arrayFromPayloads,
  defaultPayloadConverter,
  defineSearchAttributeKey,
} from '@temporalio/common';
import { shownAddress } from '../model/addresses.ts';
import { ingestWorkflowId, SEARCH_ATTRIBUTES, TASK_QUEUE, type IngestInput } from '../model/run.ts';
import type { ingestDataset } from '../workflows/index.ts';
import { fromTemporal } from './failures.ts';

export interface StartedRun {
  handle: WorkflowHandle<typeof ingestDataset>;
  workflowId: string;
  runId: string;
  /** What the run was started with: not ours where another run of the day was under way. */
  input: IngestInput;
}

/** Starts the run of a dataset and day, or attaches to the one under way. */
export async function startRun(client: Client, input: IngestInput): Promise<StartedRun> {
  const { dataset, ingestDate, mode, target } = input;
  const workflowId = ingestWorkflowId(dataset.name, ingestDate);
  try {
    const handle = await client.workflow.start<typeof ingestDataset>('ingestDataset', {
      taskQueue: TASK_QUEUE,
      workflowId,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [input],
      staticSummary: `${mode} ${dataset.name}, ${ingestDate}${target === 's3' ? ', in S3' : ''}`,
      staticDetails: detailsOf(input),
      ...(input.upsertSearchAttributes && { typedSearchAttributes: attributesOf(input) }),
    });
    const runId = handle.firstExecutionRunId;
    return { handle, workflowId, runId, input: await inputOf(client, workflowId, runId) };
  } catch (error) {
    throw fromTemporal(error);
  }
}

/** The input of a run, from the first event of its history. */
export async function inputOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<IngestInput> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  return arrayFromPayloads(defaultPayloadConverter, started?.input?.payloads)[0] as IngestInput;
}

/** Whether waiting for the run under way gives what was asked for. */
export function satisfies(running: IngestInput, wanted: IngestInput): boolean {
  return (
    running.mode === wanted.mode &&
    running.engine === wanted.engine &&
    (running.target ?? 'disk') === (wanted.target ?? 'disk') &&
    (running.again || !wanted.again) &&
    (running.accept || !wanted.accept)
  );
}

function attributesOf({ dataset, ingestDate }: IngestInput) {
  return [
    { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dataset, 'KEYWORD'), value: dataset.name },
    { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.ingestDate, 'KEYWORD'), value: ingestDate },
  ];
}

function detailsOf({ dataset, engine, target, again }: IngestInput): string {
  const sources = dataset.sources.map(({ id, address, optional }) => {
    return `- **${id}**${optional ? ' (optional)' : ''}: ${shownAddress(address)}`;
  });
  const where = target === 's3' ? ', into S3' : '';
  const how = `Engine ${engine}${where}${again ? ', a new revision' : ''}.`;
  return [how, '', ...sources].join('\n');
}
