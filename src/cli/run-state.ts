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

/** The state of a run as the CLI sees it: the workflow's progress, and the bytes from the heartbeats. */
export interface RunState {
  stage: RunProgress['stage'];
  sources: SourceState[];
  /** What the run as a whole waits for. */
  waits: Wait[];
  /** Sources that Spark converts together, shown as one. */
  batch?: SourceState;
  emr?: EmrProgress;
}

export interface SourceState extends SourceProgress {
  transfer?: TransferHeartbeat;
  /** Why the source makes no progress. */
  wait?: Wait;
}

/** An activity that failed and is tried again, or that shows no progress. */
export interface Wait {
  /** Text for the user: what the run waits for, as one clause without a full stop. */
  text: string;
  /** Number of the attempt that is due or under way. Absent if no earlier one failed. */
  attempt?: number;
  /** When that attempt starts; Unix time in ms. */
  nextAttemptAtMs?: number;
  /** When the silence of the activity began; Unix time in ms. Absent after a failure. */
  sinceMs?: number;
}

/** @returns undefined if the run has ended, or if it started less than `QUIET_MS` ago and no worker answers. */
export async function readRunState(handle: WorkflowHandle): Promise<RunState | undefined> {
  const [description, progress] = await Promise.all([handle.describe(), readProgress(handle)]);
  const pending = pendingOf(description);
  const nowMs = Date.now();
  if (progress) return stateOf(progress, pending, nowMs);
  // The workflow of a schedule waits for the run whose id has the day.
  const joined = pending.find((each) => each.joined)?.joined;
  if (joined) return await readRunState(handle.client.getHandle(joined.workflowId, joined.runId));
  const sinceMs = description.startTime.getTime();
  if (description.status.name !== 'RUNNING' || nowMs - sinceMs < QUIET_MS) return undefined;
  const waits = [{ text: 'no worker answers for this run', sinceMs }, ...runWaits(pending, nowMs)];
  return { stage: 'open', sources: [], waits };
}

/** The CLI reports an activity that is silent for longer. Shorter silences end before the user asks why. */
const QUIET_MS = 3000;

export async function readProgress(handle: WorkflowHandle): Promise<RunProgress | undefined> {
  try {
    const { client } = handle;
    return await client.withDeadline(
      Date.now() + QUERY_TIMEOUT_MS,
      async () => await handle.query<RunProgress>('progress'),
    );
  } catch {
    // The worker is busy, restarting or absent. The next query may succeed.
    return undefined;
  }
}

/** The CLI asks again about once a second, so it does not need an answer that comes later. */
const QUERY_TIMEOUT_MS = 2000;

export interface PendingActivity {
  type: string;
  /** Id of the source; absent if the activity is not for exactly one source. */
  source?: string;
  attempt: number;
  /** True if no worker has taken the activity yet. */
  isDue: boolean;
  /** Since when the activity is due or runs; Unix time in ms. In the future if an attempt waits for its time. */
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

/** `temporal.api.enums.v1.PendingActivityState`: no worker has taken the activity. */
const DUE = 1;

/** The workflow names the activities of one source `<step>/<source>`. */
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

/** No source can have this id, because parentheses are not valid in ids. */
const BATCH_ID = '(Spark)';

function runWaits(pending: readonly PendingActivity[], nowMs: number): Wait[] {
  return pending.flatMap((each) => waitOf(each, nowMs) ?? []);
}

/** Reports a failure at once, and silence after `QUIET_MS`. */
function waitOf(activity: PendingActivity, nowMs: number): Wait | undefined {
  const { type, attempt, isDue, sinceMs, lastFailure, transfer } = activity;
  if (lastFailure) {
    const text = lastFailure.message.replace(/\.$/, '');
    return { text, attempt, nextAttemptAtMs: isDue ? sinceMs : undefined };
  }
  // A running activity shows its progress by its heartbeats.
  if (sinceMs === 0 || nowMs - sinceMs < QUIET_MS || transfer) return undefined;
  return { text: isDue ? `no worker is free for ${type}` : `${type} is under way`, sinceMs };
}

type PendingInfo = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];
type Payloads = { payloads?: Parameters<typeof arrayFromPayloads>[1] } | null | undefined;

/** The first payload, if it can be decoded. A worker of another version may have written any value. */
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
