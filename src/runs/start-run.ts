import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  arrayFromPayloads,
  defaultPayloadConverter,
  defineSearchAttributeKey,
} from '@temporalio/common';
import { shownAddress } from '../model/addresses.ts';
import { datedDataset } from '../model/dates.ts';
import {
  ingestWorkflowId,
  SEARCH_ATTRIBUTES,
  type DayInput,
  type IngestInput,
} from '../model/run.ts';
import type { ScheduledInput } from '../model/schedule.ts';
import type { ingestDataset } from '../workflows/index.ts';

export interface StartedRun {
  handle: WorkflowHandle<typeof ingestDataset>;
  workflowId: string;
  runId: string;
  /** The run's own input. It is not the given one if another run of the day was already open. */
  input: IngestInput;
  /** The workflow that started the run; undefined if a user or the CLI did. */
  startedBy: string | undefined;
  /** Whether the run was cancelled and is cleaning up. */
  isEnding: boolean;
}

export interface StartOptions {
  /** The lake's control queue. */
  queue: string;
  hasSearchAttributes: boolean;
  /** The workflow that starts the run. */
  startedBy?: string;
}

/**
 * Starts the run of a dataset and day, or joins the open one if it does what is wanted. If that run does something
 * else, or was cancelled, this function first waits for it.
 * @param waitFor throws if nothing may be started any more.
 */
export async function startOrJoin(
  wanted: IngestInput,
  start: () => Promise<StartedRun>,
  waitFor: (other: StartedRun) => Promise<void>,
): Promise<StartedRun> {
  for (;;) {
    const run = await start();
    if (!run.isEnding && satisfies(run.input, wanted)) return run;
    await waitFor(run);
  }
}

/** Key of `startedBy` in the memo. */
const STARTED_BY = 'startedBy';

/** Starts the run of a dataset and day, or attaches to the open one, whatever that run does. */
export async function startRun(
  client: Client,
  input: DayInput,
  { queue, startedBy, hasSearchAttributes }: StartOptions,
): Promise<StartedRun> {
  const { dataset, ingestDate, mode = 'ingest' } = input;
  const workflowId = ingestWorkflowId(dataset, ingestDate);
  const handle = await client.workflow.start<typeof ingestDataset>('ingestDataset', {
    taskQueue: queue,
    workflowId,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
    staticSummary: `${mode} ${dataset}, ${ingestDate}`,
    staticDetails: detailsOf(input),
    ...(startedBy !== undefined && { memo: { [STARTED_BY]: startedBy } }),
    ...(hasSearchAttributes && { typedSearchAttributes: attributesOf(input) }),
  });
  const runId = handle.firstExecutionRunId;
  const started = await startOf(client, workflowId, runId);
  const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
  const isEnding = raw.workflowExtendedInfo?.cancelRequested ?? false;
  return { handle, workflowId, runId, ...started, isEnding };
}

/** The input of a run, or of a schedule's run, from the first event of its history. It is not checked. */
export async function inputOf(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<Partial<IngestInput | ScheduledInput> | undefined> {
  return (await startOf(client, workflowId, runId)).input;
}

/** Whether the open run gives what was asked for. */
export function satisfies(running: IngestInput, wanted: IngestInput): boolean {
  const isSame = running.mode === wanted.mode && running.engine === wanted.engine;
  return (
    isSame && (['again', 'accept', 'asIf'] as const).every((flag) => running[flag] || !wanted[flag])
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
    input: (values[0] ?? {}) as IngestInput,
    startedBy: typeof startedBy === 'string' ? startedBy : undefined,
  };
}

function attributesOf({ dataset, ingestDate }: DayInput) {
  return [
    { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dataset, 'KEYWORD'), value: dataset },
    { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.ingestDate, 'KEYWORD'), value: ingestDate },
  ];
}

function detailsOf({ spec, ingestDate, engine, again }: DayInput): string {
  const dated = spec ? datedDataset(spec, ingestDate).sources : [];
  const sources = dated.map(({ id, address, optional }) => {
    return `- **${id}**${optional ? ' (optional)' : ''}: ${shownAddress(address)}`;
  });
  const how = `Engine ${engine ?? 'of the worker'}${again ? ', a new revision' : ''}.`;
  return [how, '', ...sources].join('\n');
}

/** Temporal answers within milliseconds, or is unavailable. */
const ANSWER_TIMEOUT_MS = 5000;

/** Runs start without the attributes if Temporal does not list them: an unknown one would make a start fail. */
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
