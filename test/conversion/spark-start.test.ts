import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { createSparkEngine } from '../../src/conversion/spark/engine.ts';
import type { SparkRunner } from '../../src/conversion/spark/sessions.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';
import type { StoredRange } from '../../src/storage/store.ts';
import { inspected, landed, namesBelow, requestOf, scratch } from './samples.ts';

const SIZES = { shardBytes: 30, partBytes: 1, maxPartBytes: 1 };
const CSV = `n,t\n${Array.from({ length: 30 }, (_, n) => `${n},"a\n${n}"\n`).join('')}`;

/** A disk whose first shards can be copied, and whose third does what the test says. */
class FaultyDisk extends DiskStore {
  copied = 0;
  private readonly onThird: (signal: AbortSignal) => Promise<void>;

  constructor(folder: string, onThird: (signal: AbortSignal) => Promise<void>) {
    super(folder);
    this.onThird = onThird;
  }

  override async copyRange(source: StoredRange, key: string, signal: AbortSignal): Promise<void> {
    if (this.copied === 2) await this.onThird(signal);
    await super.copyRange(source, key, signal);
    this.copied += 1;
  }
}

async function converting(
  t: TestContext,
  run: SparkRunner,
  onThird: (signal: AbortSignal) => Promise<void>,
): Promise<{ output: FaultyDisk; ended: Promise<unknown> }> {
  const file = await landed(await scratch(t), CSV, { spacing: 30 });
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-spark-start-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const output = new FaultyDisk(folder, onThird);
  const request = { ...requestOf(file, await inspected(file)), output };
  return { output, ended: createSparkEngine(run, SIZES).convert(request) };
}

suite('Spark starts while its inputs are made', () => {
  test('what making them fails of is the error, and nothing is left', async (t) => {
    const full = new LonghaulError('DISK_FULL', 'No space is left.');
    const run: SparkRunner = async (job) => {
      await job;
      return assert.fail('there is no job');
    };
    const { output, ended } = await converting(t, run, async () => await Promise.reject(full));
    await assert.rejects(ended, full);
    assert.deepEqual(await namesBelow(output, 'out/'), []);
  });

  test('a Spark that dies at its start stops the making, and nothing is left', async (t) => {
    const died = new LonghaulError('ENGINE_FAILED', 'The JVM ended.');
    const copying = new EventEmitter();
    const run: SparkRunner = async () => {
      await once(copying, 'third');
      throw died;
    };
    const { output, ended } = await converting(t, run, async (signal) => {
      copying.emit('third');
      await once(signal, 'abort');
      signal.throwIfAborted();
    });
    await assert.rejects(ended, died);
    assert.equal(output.copied, 2);
    assert.deepEqual(await namesBelow(output, 'out/'), []);
  });
});
