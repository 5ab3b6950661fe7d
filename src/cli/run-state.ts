import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { arrayFromPayloads, defaultPayloadConverter } from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import type { EmrProgress } from '../model/emr.ts';
import { isErrorCode, type ErrorCode } from '../model/errors.ts';
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
  /** What the run as a whole waits for. */
  waits: Wait[];
  /** Sources that are converted together, as if they were one. */
  batch?: SourceState;
  emr?: EmrProgress;
}

export interface SourceState extends SourceProgress {
  transfer?: TransferHeartbeat;
  /** Why it gets no further. */
  wait?: Wait;
}

/** An activity that failed and is tried again, or that shows no sign of work. */
export interface Wait {
  /** What the run waits for, for people: one clause without a full stop. */
  text: string;
  /** The attempt that is due or under way, where an earlier one failed. */
  attempt?: number;
  /** When that attempt starts; Unix, ms. */
  nextAttemptAtMs?: number;
  /** Without a failure: since when; Unix, ms. */
  sinceMs?: number;
}

/** @returns undefined where the run has ended, or is too young for its silence to mean anything. */
export async function readRunState(handle: WorkflowHandle): Promise<RunState | undefined> {
  const [description, progress] = await Promise.all([handle.describe(), readProgress(handle)]);
  const pending = pendingOf(description);
  const nowMs = Date.now();
  if (progress) return stateOf(progress, pending, nowMs);
  // A schedule's workflow waits for the run that has the day's own id.
  const joined = pending.find((each) => each.joined)?.joined;
  if (joined) return await readRunState(handle.client.getHandle(joined.workflowId, joined.runId));
  const sinceMs = description.startTime.getTime();
  if (description.status.name !== 'RUNNING' || nowMs - sinceMs < QUIET_MS) return undefined;
  const waits = [{ text: 'no worker answers for this run', sinceMs }, ...runWaits(pending, nowMs)];
  return { stage: 'open', sources: [], waits };
}

/** From here on a silent activity is worth a word: shorter ones are over before a person wonders. */
const QUIET_MS = 3000;

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
  /** The source that it works for, where it is of one. */
  source?: string;
  attempt: number;
  /** No worker has it yet. */
  isDue: boolean;
  /** Since when it is due, or in work; Unix, ms. In the future where an attempt waits for its time. */
  sinceMs: number;
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
    const heartbeat = firstPayload(activity.heartbeatDetails);
    const transfer = isTransfer(heartbeat) ? heartbeat : undefined;
    const failure = failureOf(activity.lastFailure);
    const ofOne = transfer?.source ?? sourceOf(activity.activityId) ?? failure?.source;
    const source = transfer?.sources ? undefined : ofOne;
    const isDue = Number(activity.state) === DUE;
    return {
      type: activity.activityType?.name ?? '',
      source,
      attempt: activity.attempt ?? 1,
      isDue,
      sinceMs: optionalTsToMs(isDue ? activity.scheduledTime : activity.lastStartedTime) ?? 0,
      transfer,
      joined: isJoin(heartbeat) ? heartbeat.joined : undefined,
      lastFailure: failure,
    };
  });
}

/** `temporal.api.enums.v1.PendingActivityState`: no worker has it. */
const DUE = 1;

/** Activities of one source are named `<step>/<source>` by the workflow. */
function sourceOf(activityId: string | null | undefined): string | undefined {
  return /^[a-z]+\/(.+)$/.exec(activityId ?? '')?.[1];
}

function failureOf(
  failure: PendingInfo['lastFailure'],
): PendingActivity['lastFailure'] | undefined {
  if (!failure) return undefined;
  const info = failure.applicationFailureInfo;
  const unknown = failure.timeoutFailureInfo ? 'WORKER_LOST' : 'INTERNAL';
  const detail = firstPayload(info?.details) as RunError | undefined;
  return {
    code: isErrorCode(info?.type) ? info.type : unknown,
    message: detail?.message ?? failure.message ?? '',
    source: detail?.source,
  };
}

function stateOf(
  progress: RunProgress,
  pending: readonly PendingActivity[],
  nowMs: number,
): RunState {
  const sources = progress.sources.map((source): SourceState => {
    if (source.stage === 'done' || source.stage === 'failed') return source;
    const own = pending.find((each) => each.source === source.id);
    const current = own?.transfer?.stage === source.stage ? own.transfer : undefined;
    const wait = own && waitOf(own, nowMs);
    return { ...source, transfer: current, wait };
  });
  const known = new Set(progress.sources.map(({ id }) => id));
  const others = pending.filter(({ source }) => source === undefined || !known.has(source));
  const { stage, emr } = progress;
  const transfer = others.find((each) => each.transfer?.sources)?.transfer;
  const batch = transfer && { id: BATCH_ID, stage: transfer.stage, transfer };
  return { stage, sources, waits: runWaits(others, nowMs), batch, emr };
}

/** No source has such an id. */
const BATCH_ID = '(Spark)';

function runWaits(pending: readonly PendingActivity[], nowMs: number): Wait[] {
  return pending.flatMap((each) => waitOf(each, nowMs) ?? []);
}

/** A failure is shown at once, silence after a while. */
function waitOf(activity: PendingActivity, nowMs: number): Wait | undefined {
  const { type, attempt, isDue, sinceMs, lastFailure, transfer } = activity;
  if (lastFailure) {
    const text = lastFailure.message.replace(/\.$/, '');
    return { text, attempt, nextAttemptAtMs: isDue ? sinceMs : undefined };
  }
  // Running activities report by their heartbeats.
  if (sinceMs === 0 || nowMs - sinceMs < QUIET_MS || transfer) return undefined;
  return { text: isDue ? `no worker is free for ${type}` : `${type} is under way`, sinceMs };
}

type PendingInfo = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];
type Payloads = { payloads?: Parameters<typeof arrayFromPayloads>[1] } | null | undefined;

/** Whatever a worker, of another version perhaps, has put there. */
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
  const { stage, bytes } = (value ?? {}) as Partial<TransferHeartbeat>;
  return typeof stage === 'string' && typeof bytes === 'number';
}
