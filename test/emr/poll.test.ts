import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pollUntil, type Clock } from '../../src/emr/poll.ts';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';

/** Gives EMR's answers in turn and repeats the last one. An error code is thrown as an error. */
function answers(...given: (number | ErrorCode)[]) {
  let looks = 0;
  return async (): Promise<number> => {
    const answer = given[Math.min(looks, given.length - 1)] ?? 0;
    looks += 1;
    if (typeof answer === 'number') return await Promise.resolve(answer);
    throw new LonghaulError(answer, `${answer} happened.`);
  };
}

/** Polls without waiting: each wait ends at once and moves the mocked clock forward. */
async function poll(
  look: () => Promise<number>,
  options: { retryForMs?: number; forMs?: number; enough?: number } = {},
): Promise<{ found: number | ErrorCode; waitedMs: number }> {
  const { retryForMs = 600_000, forMs = Infinity, enough = 3 } = options;
  let waitedMs = 0;
  const clock: Clock = {
    now: () => waitedMs,
    sleep: async (ms) => {
      waitedMs += ms;
      return await Promise.resolve();
    },
  };
  const { signal } = new AbortController();
  const found = await pollUntil(
    { signal, retryForMs, forMs, clock },
    look,
    (each) => each >= enough,
  ).catch((error: unknown) => (error as LonghaulError).code);
  return { found, waitedMs };
}

describe('a step on EMR is watched', () => {
  it('until it changes, ever less often', async () => {
    const { found, waitedMs } = await poll(answers(1, 1, 2, 2, 3));
    assert.equal(found, 3);
    assert.ok(waitedMs >= 3000 && waitedMs < 12_000, `${waitedMs} ms`);
    let looks = 0;
    const day = await poll(async () => await Promise.resolve((looks += 1)), {
      forMs: 10 * 3_600_000,
      enough: Infinity,
    });
    assert.ok(day.waitedMs >= 10 * 3_600_000);
    // The poll waits a minute, 25 % more or less, for ten hours. Before that, it looks about twenty times.
    assert.ok(looks > 480 && looks < 830, `${looks} looks`);
  });

  it('though EMR does not answer for a while, or the credentials have expired and are renewed', async () => {
    const gone: ErrorCode[] = ['EMR_UNREACHABLE', 'EMR_UNAVAILABLE', 'EMR_CREDENTIALS'];
    const { found } = await poll(answers(1, ...gone, ...gone, 3));
    assert.equal(found, 3);
  });

  it('and is given up where that lasts, or what EMR says is final', async () => {
    const lasting = await poll(answers(1, 'EMR_CREDENTIALS'), { retryForMs: 60_000 });
    assert.equal(lasting.found, 'EMR_CREDENTIALS');
    assert.ok(lasting.waitedMs >= 60_000 && lasting.waitedMs < 180_000, `${lasting.waitedMs} ms`);
    const final = await poll(answers(1, 'EMR_FORBIDDEN', 3));
    assert.equal(final.found, 'EMR_FORBIDDEN');
  });
});
