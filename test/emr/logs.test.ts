import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readLog, tailOf, withoutSecrets } from '../../src/emr/outcome.ts';

const LONG_MS = 10_000;
const URI = 's3://b/logs/j-1/steps/s-1/stderr.gz';

describe('the log of a step', () => {
  it('is read to its end, and its last lines are the answer', async () => {
    const text = Array.from({ length: 5000 }, (_, n) => `line ${n}`).join('\n');
    const tail = tailOf(await readLog(async () => gzipSync(text), URI, LONG_MS));
    assert.equal(tail.length, 50);
    assert.equal(tail.at(-1), 'line 4999');
  });

  it('that is not there delays a run for no longer than the limit', async () => {
    const started = performance.now();
    let looks = 0;
    const read = async () => {
      looks += 1;
      return undefined;
    };
    assert.equal(await readLog(read, URI, 50), '');
    assert.ok(looks >= 1 && performance.now() - started < 5000);
    const hangs = async (_: string, signal: AbortSignal) =>
      await sleep(LONG_MS, undefined, { signal });
    assert.equal(await readLog(hangs, URI, 50), '');
  });

  it('never makes an error of its own', async () => {
    const refused = async (): Promise<Buffer> => {
      throw new Error('AccessDenied');
    };
    assert.equal(await readLog(refused, URI, LONG_MS), '');
    assert.equal(await readLog(async () => Buffer.from('no gzip'), URI, LONG_MS), '');
    const whole = gzipSync('a\n'.repeat(100_000));
    const cut = await readLog(async () => whole.subarray(0, whole.length - 20), URI, LONG_MS);
    assert.match(cut, /^(a\n)*a?$/);
  });

  it('is safe to print, line by line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const line of tailOf(text)) {
          assert.ok(!/[\u0000-\u001f\u007f-\u009f\u202e]/.test(line));
          assert.ok(line.length <= 500);
        }
      }),
    );
  });

  it('shows no credential that a careless program printed', () => {
    const line = 'fs.s3a.secret.key=abc/def AKIAIOSFODNN7EXAMPLE password: hunter2, rest';
    const shown = withoutSecrets(line);
    for (const secret of ['abc/def', 'AKIAIOSFODNN7EXAMPLE', 'hunter2']) {
      assert.ok(!shown.includes(secret), shown);
    }
    assert.match(shown, /rest/);
  });
});
