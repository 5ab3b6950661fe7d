import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { runActivity, runSourceActivity } from '../../src/activities/work.ts';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';
import type { TransferHeartbeat } from '../../src/model/run.ts';

const MINUTE_MS = 60_000;

interface Attempt {
  /** How long ago the activity was scheduled. */
  sinceMs: number;
  code: ErrorCode;
  retryForMs?: number;
  retryAfterSeconds?: number;
  followed?: boolean;
  /** The attempt reports these byte counts, one after the other, before it fails. */
  bytes?: readonly number[];
  /** The last heartbeat of the attempt before this one. */
  before?: Pick<TransferHeartbeat, 'wastedAtMs'> | undefined;
  onHeartbeat?: (details: TransferHeartbeat) => void;
}

/** Runs an attempt. @returns the failure that Temporal receives. */
async function failureOf(attempt: Attempt): Promise<ApplicationFailure> {
  const { sinceMs, code, retryForMs = 15 * MINUTE_MS, retryAfterSeconds, followed } = attempt;
  const environment = new MockActivityEnvironment(
    { scheduledTimestampMs: Date.now() - sinceMs, attempt: 4, heartbeatDetails: attempt.before },
    { logger: new DefaultLogger('ERROR') },
  );
  environment.on('heartbeat', (details: TransferHeartbeat) => attempt.onHeartbeat?.(details));
  const source = { id: 'a', address: 'http://h/a.csv', optional: false, overrides: {} };
  const task = { dataset: 'd', ingestDate: '2026-11-23', source, followed };
  const deps = { activity: { heartbeatTimeoutMs: 60_000, retryForMs } };
  const failed = await environment
    .run(async () => {
      await runSourceActivity(deps, task, 'land', async ({ onProgress }) => {
        for (const bytes of attempt.bytes ?? []) onProgress({ bytes });
        const details = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
        return await Promise.reject(new LonghaulError(code, 'It failed.', details));
      });
    })
    .catch((error: unknown) => error);
  assert.ok(failed instanceof ApplicationFailure);
  assert.equal(failed.type, code);
  return failed;
}

const isFinal = async (attempt: Attempt): Promise<boolean> =>
  (await failureOf(attempt)).nonRetryable === true;

describe('a portal that is still making the file', () => {
  const code = 'SOURCE_NOT_READY';

  it('is asked for 15 minutes, even where faults are not retried so long', async () => {
    for (const retryForMs of [0, 15 * MINUTE_MS]) {
      assert.equal(await isFinal({ sinceMs: 14 * MINUTE_MS, code, retryForMs }), false);
      assert.equal(await isFinal({ sinceMs: 15 * MINUTE_MS, code, retryForMs }), true);
    }
  });

  it('is asked when it said, once more before time is up, and never at once', async () => {
    const wait = async (retryAfterSeconds: number, sinceMs: number): Promise<unknown> => {
      const { nextRetryDelay } = await failureOf({ sinceMs, code, retryAfterSeconds });
      return nextRetryDelay;
    };
    assert.equal(await wait(10, 0), 10_000);
    assert.equal(await wait(0, 0), 1000);
    const last = Number(await wait(3600, 14 * MINUTE_MS));
    assert.ok(last > 1000 && last <= MINUTE_MS, `${last}`);
  });
});

describe('a host name that DNS does not know', () => {
  const code = 'SOURCE_NO_SUCH_HOST';

  it('is tried as long as any fault of the network where no command follows the run', async () => {
    assert.equal(await isFinal({ sinceMs: 0, code }), false);
    assert.equal(await isFinal({ sinceMs: 14 * MINUTE_MS, code }), false);
    assert.equal(await isFinal({ sinceMs: 15 * MINUTE_MS, code }), true);
  });

  it('ends a run that a command follows after 30 s, and not sooner', async () => {
    assert.equal(await isFinal({ sinceMs: 25_000, code, followed: true }), false);
    assert.equal(await isFinal({ sinceMs: 30_000, code, followed: true }), true);
    assert.equal(
      await isFinal({ sinceMs: 31_000, code: 'SOURCE_UNREACHABLE', followed: true }),
      false,
    );
  });
});

describe('the end of what costs', () => {
  it('is asked for again after every error but the one that says that it is gone', async () => {
    const failure = async (code: ErrorCode): Promise<ApplicationFailure> => {
      const environment = new MockActivityEnvironment(
        { scheduledTimestampMs: Date.now(), attempt: 4 },
        { logger: new DefaultLogger('ERROR') },
      );
      const deps = { activity: { heartbeatTimeoutMs: 60_000, retryForMs: 24 * 60 * MINUTE_MS } };
      const body = async (): Promise<never> => await Promise.reject(new LonghaulError(code, 'No.'));
      const failed: unknown = await environment
        .run(async () => await runActivity(deps, body, ['EMR_NO_SUCH_CLUSTER']))
        .catch((error: unknown) => error);
      assert.ok(failed instanceof ApplicationFailure);
      return failed;
    };
    for (const code of ['EMR_CREDENTIALS', 'EMR_FORBIDDEN', 'EMR_REFUSED', 'INTERNAL'] as const) {
      assert.equal((await failure(code)).nonRetryable, false, code);
    }
    assert.equal((await failure('EMR_NO_SUCH_CLUSTER')).nonRetryable, true);
  });
});

describe('a body that trickles', () => {
  const late = { sinceMs: 16 * MINUTE_MS, code: 'SOURCE_TOO_SLOW' } as const;

  it('is no progress, so that it is not read again and again for days', async () => {
    assert.equal(await isFinal({ ...late, bytes: [1, 60, 120] }), true);
  });

  it('is tried again where the attempt got further before', async () => {
    assert.equal(await isFinal({ ...late, bytes: [1, 100_000, 100_060] }), false);
    // The counter fell: the publisher had another version, so the landing began again at its first byte.
    assert.equal(await isFinal({ ...late, bytes: [5_000_000, 1, 100_000] }), false);
  });
});

describe('a table whose pages never agree with its count', () => {
  const code = 'PORTAL_ANSWER_INVALID';
  const wasted = { code, bytes: [0, 1_000_000], sinceMs: 60 * MINUTE_MS } as const;

  it('is read again for as long as one that sends nothing, however much of it arrives', async () => {
    let before: TransferHeartbeat | undefined;
    const onHeartbeat = (details: TransferHeartbeat): void => void (before = details);
    assert.equal(await isFinal({ ...wasted, onHeartbeat }), false);
    const first = before?.wastedAtMs ?? 0;
    assert.ok(first > 0);
    const again = async (minutes: number): Promise<boolean> => {
      const wastedAtMs = first - minutes * MINUTE_MS;
      return await isFinal({ ...wasted, before: { wastedAtMs } });
    };
    assert.equal(await again(14), false);
    assert.equal(await again(15), true);
  });
});
