import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BatchAttempts } from '../../src/model/batch-attempts.ts';

describe('a job of many sources that died', () => {
  it('comes to an end, however it gets on', () => {
    const step = fc.record({ done: fc.nat(3), died: fc.nat(2), isWorthRetry: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.infiniteStream(step), (sources, steps) => {
        const attempts = new BatchAttempts(sources);
        let left = sources;
        let deadStarts = 0;
        for (let tries = 1; ; tries += 1) {
          const { value } = steps.next();
          left = Math.max(1, left - value.done);
          // A source starts three times at most.
          deadStarts = Math.min(3 * sources, deadStarts + value.died);
          if (!attempts.mayGoOn({ open: left, deadStarts }, value.isWorthRetry)) return;
          assert.ok(tries < 3 * (sources + 3 * sources + 1), 'it goes on for ever');
        }
      }),
    );
  });

  it('is submitted again while it gets further, and where its nodes went away', () => {
    const attempts = new BatchAttempts(3);
    assert.ok(attempts.mayGoOn({ open: 2, deadStarts: 1 }, false));
    assert.ok(attempts.mayGoOn({ open: 2, deadStarts: 2 }, false));
    assert.ok(attempts.mayGoOn({ open: 2, deadStarts: 2 }, true));
    assert.ok(!attempts.isLast);
    assert.ok(attempts.mayGoOn({ open: 2, deadStarts: 2 }, true));
    assert.ok(attempts.isLast);
    assert.ok(!attempts.mayGoOn({ open: 2, deadStarts: 2 }, true));
  });

  it('is not submitted again for the one source that is left', () => {
    assert.ok(!new BatchAttempts(2).mayGoOn({ open: 1, deadStarts: 1 }, false));
    assert.ok(!new BatchAttempts(3).mayGoOn({ open: 3, deadStarts: 0 }, false));
  });
});
