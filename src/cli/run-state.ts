import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { arrayFromPayloads, defaultPayloadConverter } from '@temporalio/common';
import type { EmrProgress } from '../model/emr.ts';
import type { ErrorCode } from '../model/errors.ts';
import { isErrorCode } from '../model/errors.ts';
import type {
  JoinHeartbeat,
  RunError,
  RunProgress,
  SourceProgress,
  TransferHeartbeat,
} from '../model/run.ts';

/** What can be seen of a run from outside: the workflow's own progress, and the bytes from the heartbeats. */
export interface RunState {
  stage: RunProgress['stage'];
  sources: SourceState[];
  emr?: EmrProgress;
}

export interface SourceState extends SourceProgress {
  transfer?: TransferHeartbeat;
  retrying?: Retrying;
}

/** An attempt failed, and the next one is due or under way. */
export interface Retrying {
  attempt: number;
  code: ErrorCode;
  message: string;
}

/** Undefined where no worker answers yet. */
export async function readRunState(handle: WorkflowHandle): Promise<RunState | undefined> {
  const [description, progress] = await Promise.all([handle.describe(), readProgress(handle)]);
  const pending = pendingOf(description);
  if (progress) return withTransfers(progress, pending);
  // A schedule's workflow, or one that was started by hand, waits for the run that has the day's own id.
  const joined = pending.find((each) => each.joined)?.joined;
  if (!joined) return undefined;
  return await readRunState(handle.client.getHandle(joined.workflowId, joined.runId));
}

export async function readProgress(handle: WorkflowHandle): Promise<RunProgress | undefined> {
  try {
    const { client } = handle;
    return await client.withDeadline(
      Date.now() + QUERY_TIMEOUT_MS,
      async () => await handle.query<RunProgress>('progress'),
    );
  } catch {
    // The worker is busy, restarting or not there: the next look may find it.
    return undefined;
  }
}

/** A picture that is older than this is drawn anew anyway. */
const QUERY_TIMEOUT_MS = 2000;

export interface PendingActivity {
  type: string;
  attempt: number;
  transfer?: TransferHeartbeat;
  /** The run of the day that this one waits for. */
  joined?: JoinHeartbeat['joined'];
  lastFailure?: { code: ErrorCode; message: string; source?: string };
}

/** The activities of a run that are due or under way, with their last heartbeats and failures. */
export function pendingOf(
  description: Pick<WorkflowExecutionDescription, 'raw'>,
): PendingActivity[] {
  return (description.raw.pendingActivities ?? []).map((activity) => {
    const transfer = firstPayload(activity.heartbeatDetails);
    const info = activity.lastFailure?.applicationFailureInfo;
    const unknown = activity.lastFailure?.timeoutFailureInfo ? 'WORKER_LOST' : 'INTERNAL';
    const detail = firstPayload(info?.details) as RunError | undefined;
    return {
      type: activity.activityType?.name ?? '',
      attempt: activity.attempt ?? 1,
      ...(isTransfer(transfer) && { transfer }),
      ...(isJoin(transfer) && { joined: transfer.joined }),
      ...(activity.lastFailure && {
        lastFailure: {
          code: isErrorCode(info?.type) ? info.type : unknown,
          message: detail?.message ?? activity.lastFailure.message ?? '',
          ...(detail?.source !== undefined && { source: detail.source }),
        },
      }),
    };
  });
}

function withTransfers(progress: RunProgress, pending: readonly PendingActivity[]): RunState {
  const sources = progress.sources.map((source): SourceState => {
    if (source.stage === 'done' || source.stage === 'failed') return source;
    const own = pending.find(
      ({ transfer, lastFailure }) => (transfer?.source ?? lastFailure?.source) === source.id,
    );
    const current = own?.transfer?.stage === source.stage ? own.transfer : undefined;
    return {
      ...source,
      ...(current && { transfer: current }),
      ...(own?.lastFailure && { retrying: { attempt: own.attempt, ...own.lastFailure } }),
    };
  });
  const { stage, emr } = progress;
  return { stage, sources, ...(emr && { emr }) };
}

type Payloads = { payloads?: Parameters<typeof arrayFromPayloads>[1] } | null | undefined;

function firstPayload(payloads: Payloads): unknown {
  try {
    return arrayFromPayloads(defaultPayloadConverter, payloads?.payloads)[0];
  } catch {
    return undefined;
  }
}

function isJoin(value: unknown): value is JoinHeartbeat {
  const { joined } = (value ?? {}) as Partial<JoinHeartbeat>;
  return typeof joined?.workflowId === 'string' && typeof joined.runId === 'string';
}

function isTransfer(value: unknown): value is TransferHeartbeat {
  const transfer = value as Partial<TransferHeartbeat> | null | undefined;
  return typeof transfer?.source === 'string' && typeof transfer.bytes === 'number';
}
