import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  NamespaceNotFoundError,
  RetryState,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { fromTemporal } from '../../src/cli/failures.ts';
import { followRun } from '../../src/cli/follow.ts';
import { callAgain, type TemporalLink } from '../../src/cli/temporal-link.ts';
import { pendingOf, readRunState, type RunState } from '../../src/cli/run-state.ts';
import { satisfies } from '../../src/runs/start-run.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import type { IngestInput, RunProgress, TransferHeartbeat } from '../../src/model/run.ts';
import { progressLines } from '../../src/cli/progress.ts';
import { asJson } from '../helpers/as-json.ts';

const HEARTBEAT: TransferHeartbeat = {
  source: '2019',
  stage: 'land',
  bytes: 10,
  totalBytes: 100,
  bytesPerSecond: 5,
};

function pending(): unknown {
  return {
    activityType: { name: 'landSource' },
    attempt: 2,
    heartbeatDetails: { payloads: [defaultPayloadConverter.toPayload(HEARTBEAT)] },
    lastFailure: {
      message: 'h answered 503.',
      applicationFailureInfo: { type: 'SOURCE_UNAVAILABLE', details: null },
    },
  };
}

type Description = Parameters<typeof pendingOf>[0];

function describedAs(activities: unknown[]): Description {
  return { raw: { pendingActivities: activities } } as Description;
}

const RUN = { workflowId: 'w', runId: 'r' };

/** A link whose client returns this handle for every workflow. */
function linkTo(handle: WorkflowHandle, parts: Partial<TemporalLink> = {}): TemporalLink {
  const client = {
    workflow: { getHandle: () => handle },
    options: { namespace: 'n' },
    workflowService: { describeNamespace: async () => ({}) },
    withAbortSignal: async (signal: AbortSignal, act: () => Promise<unknown>) =>
      await Promise.race([act(), rejectedOn(signal)]),
  } as unknown as TemporalLink['client'];
  const link: TemporalLink = {
    client,
    address: 'here:1',
    namespace: 'n',
    isEmbedded: true,
    hasSearchAttributes: true,
    giveUpAfterMs: 60_000,
    isLost: (error) => error instanceof ServiceError,
    hasWorker: async () => true,
    reconnect: async () => undefined,
    call: async (use, options = {}) => await callAgain(link, use, options),
    close: async () => undefined,
    ...parts,
  };
  return link;
}

async function rejectedOn(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  });
}

/** A run of one source that ends when the test ends it. */
class FakeRun {
  cancelled = false;
  progress: RunProgress = { stage: 'sources', sources: [{ id: '2019', stage: 'land' }] };
  end: (outcome: unknown) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  readonly #result: Promise<unknown>;

  constructor() {
    this.#result = new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
    // The run may end before the test waits for its result.
    this.#result.catch(() => undefined);
  }

  get handle(): WorkflowHandle {
    return {
      client: {
        withDeadline: async (_deadline: number, act: () => Promise<unknown>) => await act(),
      },
      describe: async () => describedAs([pending()]),
      query: async () => this.progress,
      result: async () => await this.#result,
      cancel: async () => {
        this.cancelled = true;
        this.fail(failed(new CancelledFailure('x')));
      },
    } as unknown as WorkflowHandle;
  }
}

void test('the state has the bytes of the heartbeats and why an attempt failed', async () => {
  const state = await readRunState(new FakeRun().handle);
  assert.deepEqual(asJson(state?.sources), [
    {
      id: '2019',
      stage: 'land',
      transfer: HEARTBEAT,
      wait: { text: 'h answered 503', attempt: 2 },
    },
  ]);
});

void test('sources that are converted together have their bytes in one line', async () => {
  const { source: _, ...bytes } = HEARTBEAT;
  const transfer: TransferHeartbeat = {
    ...bytes,
    stage: 'convert',
    sources: { done: 3, total: 12 },
  };
  const heartbeatDetails = { payloads: [defaultPayloadConverter.toPayload(transfer)] };
  const run = new FakeRun();
  const handle = Object.assign(run.handle, {
    describe: async () => describedAs([{ attempt: 1, heartbeatDetails }]),
  });
  run.progress = { stage: 'sources', sources: [{ id: '2019', stage: 'convert' }] };
  const state = (await readRunState(handle)) ?? assert.fail();
  assert.deepEqual(progressLines(state, 80), [
    '2019     convert  ',
    '(Spark)  convert  [░░░░░░░]  10%  10 B of 100 B  5 B/s  3 of 12 sources  ETA 18s',
  ]);
});

void test('a heartbeat of an earlier stage, or one that is not ours, is no progress', async () => {
  const run = new FakeRun();
  run.progress = { stage: 'sources', sources: [{ id: '2019', stage: 'convert' }] };
  assert.equal((await readRunState(run.handle))?.sources[0]?.transfer, undefined);
  const odd = { heartbeatDetails: { payloads: [{ data: Buffer.from('x') }] } };
  assert.deepEqual(asJson(pendingOf(describedAs([odd]))), [
    { type: '', attempt: 1, isDue: false, sinceMs: 0 },
  ]);
});

void test('a step whose worker was not heard of for too long says that', () => {
  const message = 'activity Heartbeat timeout';
  const lost = { attempt: 2, lastFailure: { message, timeoutFailureInfo: {} } };
  assert.deepEqual(asJson(pendingOf(describedAs([lost]))[0]?.lastFailure), {
    code: 'WORKER_LOST',
    message,
  });
});

void test("following shows states and ends with the run's result", async () => {
  const run = new FakeRun();
  const states: RunState[] = [];
  const result = await followRun(linkTo(run.handle), RUN, {
    signal: new AbortController().signal,
    onState: (state) => {
      states.push(state);
      run.end({ status: 'published' });
    },
  });
  assert.deepEqual(result, { status: 'published' });
  assert.equal(states.length, 1);
  assert.equal(run.cancelled, false);
});

for (const foreign of [false, true]) {
  const what = foreign ? 'of another command leaves it alone' : 'cancels it and waits for its end';
  void test(`Ctrl-C while a run is followed ${what}`, async () => {
    const run = new FakeRun();
    const interrupt = new AbortController();
    let isSaid = false;
    const following = followRun(linkTo(run.handle), RUN, {
      ...{ signal: interrupt.signal, foreign },
      onState: () => interrupt.abort(),
      onCancel: () => (isSaid = true),
    });
    await assert.rejects(following, { code: 'CANCELLED' });
    assert.deepEqual([run.cancelled, isSaid], [!foreign, true]);
    run.end(undefined);
  });
}

const STOPPED = new LonghaulError('EMBEDDED_STOPPED', 'The server was stopped.');

for (const [what, parts, expected] of [
  [
    'what the host says of a server that does not come back is the error',
    { reconnect: async () => await Promise.reject(STOPPED) },
    { code: 'EMBEDDED_STOPPED' },
  ],
  [
    'a Temporal that stays away is given up in the end',
    { giveUpAfterMs: 0 },
    { code: 'TEMPORAL_UNREACHABLE' },
  ],
] as const) {
  void test(what, async () => {
    const result = async (): Promise<never> => await Promise.reject(unavailable());
    const link = linkTo({ ...new FakeRun().handle, result } as WorkflowHandle, parts);
    const { signal } = new AbortController();
    await assert.rejects(followRun(link, RUN, { signal, onState: () => undefined }), expected);
  });
}

/** The error that Temporal's client throws when no server answers (`grpc.status.UNAVAILABLE`). */
function unavailable(): Error {
  const details = { code: 14, details: 'connect ECONNREFUSED', metadata: {} };
  return new ServiceError('x', { cause: Object.assign(new Error('x'), details) });
}

const FINAL = RetryState.NON_RETRYABLE_FAILURE;

function failed(cause: Error): WorkflowFailedError {
  return new WorkflowFailedError('Workflow failed', cause, FINAL);
}

void test('a failed run is the error of the catalogue behind it, wherever it is in the chain', () => {
  const detail = {
    code: 'SOURCE_NOT_FOUND',
    message: 'h answered 404.',
    hint: 'Fix it.',
    retryable: false,
    source: '2019',
  };
  const { code: type, message } = detail;
  const application = ApplicationFailure.create({ message, type, details: [detail] });
  const activity = new ActivityFailure('x', 'probeSource', '1', FINAL, 'w', application);
  for (const cause of [application, activity]) {
    const error = fromTemporal(failed(cause)) as LonghaulError;
    assert.deepEqual([error.code, error.message], [type, message]);
    assert.deepEqual(asJson(error.details), { hint: 'Fix it.', source: '2019' });
  }
});

void test('what Temporal itself says becomes an error of the catalogue too', () => {
  const codeOf = (error: unknown): string => (fromTemporal(error) as LonghaulError).code;
  assert.equal(codeOf(new WorkflowNotFoundError('x', 'w', undefined)), 'RUN_UNKNOWN');
  // The namespace is on another server, or its name is misspelt.
  assert.equal(codeOf(new NamespaceNotFoundError('lake')), 'TEMPORAL_NO_NAMESPACE');
  const foreign = ApplicationFailure.create({ message: 'boom', type: 'TypeError' });
  assert.equal(codeOf(failed(foreign)), 'INTERNAL');
  const other = new Error('mine');
  assert.equal(fromTemporal(other), other);
});

void test('a run under way is enough only if it does what was asked for', () => {
  const running: IngestInput = { dataset: 'd', mode: 'ingest', engine: 'duckdb' };
  assert.ok(satisfies(running, running));
  assert.ok(satisfies({ ...running, again: true }, running));
  for (const other of [
    { mode: 'land' },
    { engine: 'parquetjs' },
    { again: true },
    { accept: true },
    { asIf: true },
  ] as Partial<IngestInput>[]) {
    assert.ok(!satisfies(running, { ...running, ...other }));
  }
});

void test('a run that fails leaves no call behind, which would fail once the connection is closed', async () => {
  const run = new FakeRun();
  const calls = { begun: 0, ended: 0 };
  const handle = {
    ...run.handle,
    query: async () => {
      calls.begun += 1;
      run.fail(new Error('the run failed'));
      await sleep(50);
      calls.ended += 1;
      return run.progress;
    },
  } as WorkflowHandle;
  const { signal } = new AbortController();
  const following = followRun(linkTo(handle), RUN, { signal, onState: () => undefined });
  await assert.rejects(following);
  assert.deepEqual(calls, { begun: 1, ended: 1 });
});
