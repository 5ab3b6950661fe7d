import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  lockHolder,
  takeLock,
  type GenerationLock,
  type LockAttempt,
} from '../../src/embedded/generation-lock.ts';
import { diskLockFiles, type LockFiles } from '../../src/embedded/lock-files.ts';
import { identityOf } from '../../src/embedded/process-identity.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

test('a lock is had by one at a time, and by the next after its release', async () => {
  await withTempFolder(async (folder) => {
    const first = await takeLock(folder);
    assert.ok('taken' in first);
    const second = await takeLock(folder);
    assert.equal('holder' in second && second.holder.pid, process.pid);
    await first.taken.release();
    assert.equal(await lockHolder(folder), undefined);
    const third = await takeLock(folder);
    assert.ok('taken' in third);
    assert.deepEqual(await readdir(folder), ['lock.2']);
  });
});

test('a lock whose holder was killed is taken over', async () => {
  await withTempFolder(async (folder) => {
    const child = spawn('sleep', ['600']);
    const dead = identityOf(child.pid ?? 0);
    assert.ok(dead);
    assert.ok('taken' in (await takeLock(folder, { self: dead })));
    assert.ok('holder' in (await takeLock(folder)));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await takeLock(folder);
    assert.equal('taken' in next && next.taken.generation, 2);
  });
});

test('a later process with the pid of the holder does not pass for it', async () => {
  await withTempFolder(async (folder) => {
    const self = identityOf(process.pid);
    assert.ok(self);
    await takeLock(folder, { self: { ...self, startTime: `${self.startTime}0` } });
    assert.ok('taken' in (await takeLock(folder)));
  });
});

test('a holder on another machine, or a damaged file, is an error that names the file to remove', async () => {
  await withTempFolder(async (folder) => {
    await takeLock(folder, { self: { pid: 1, startTime: 'x', hostname: 'elsewhere' } });
    const namesFile = {
      code: 'EMBEDDED_FAILED',
      message: /lock\.1 belongs to process 1 on "elsewhere"/,
    };
    await assert.rejects(takeLock(folder), namesFile);
    await writeFile(join(folder, 'lock.2'), '');
    await assert.rejects(lockHolder(folder), {
      code: 'EMBEDDED_FAILED',
      message: /lock\.2 cannot be read/,
    });
  });
});

test('of many processes that race, one at a time has the lock', async () => {
  await withTempFolder(async (folder) => {
    const script = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      const { takeLock } = await import(${JSON.stringify(new URL('../../src/embedded/generation-lock.ts', import.meta.url).href)});
      for (let turns = 0; turns < 20; ) {
        const attempt = await takeLock(process.argv.at(-1) + '/lock');
        if (!('taken' in attempt)) { await sleep(1); continue; }
        appendFileSync(process.argv.at(-1) + '/log', 'in ' + process.pid + '\\n');
        await sleep(1);
        appendFileSync(process.argv.at(-1) + '/log', 'out ' + process.pid + '\\n');
        turns += 1;
        await attempt.taken.release();
      }`;
    const racers = [1, 2, 3].map(() =>
      spawn(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', script, folder],
        { stdio: 'inherit' },
      ),
    );
    const ends = await Promise.all(
      racers.map(async (each) => (await once(each, 'exit')) as unknown[]),
    );
    assert.deepEqual(ends, [
      [0, null],
      [0, null],
      [0, null],
    ]);
    const lines = (await readFile(join(folder, 'log'), 'utf8')).trim().split('\n');
    assert.equal(lines.length, 3 * 20 * 2);
    for (let n = 0; n < lines.length; n += 2) {
      assert.equal(lines[n]?.replace('in', 'out'), lines[n + 1]);
    }
  });
});

test('who is overtaken between looking and taking does not take it from the one that has it', async () => {
  await withTempFolder(async (folder) => {
    const disk = diskLockFiles(folder);
    let overtaker: LockAttempt | undefined;
    const slow: LockFiles = {
      ...disk,
      create: async (generation, body) => {
        if (!overtaker) {
          const first = await takeLock(folder);
          assert.ok('taken' in first);
          await first.taken.release();
          overtaker = await takeLock(folder);
        }
        return await disk.create(generation, body);
      },
    };
    const attempt = await takeLock(slow);
    assert.ok(overtaker && 'taken' in overtaker);
    assert.ok('holder' in attempt);
    assert.deepEqual(await readdir(folder), ['lock.2']);
  });
});

test('in every order of steps, with processes dying at any of them, never two hold the lock', async () => {
  const actors = fc.array(
    fc.record({
      turns: fc.integer({ min: 1, max: 2 }),
      diesAt: fc.oneof(fc.nat(30), fc.constant(Infinity)),
    }),
    {
      minLength: 2,
      maxLength: 4,
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), actors, async (scheduler, plans) => {
      const world = new World(scheduler);
      const all = Promise.allSettled(
        plans.map(async ({ turns, diesAt }, index) => await world.actor(index + 1, turns, diesAt)),
      );
      await scheduler.waitFor(all);
      assert.ok(world.worst <= 1);
      assert.ok('taken' in (await world.heir()));
    }),
    { numRuns: 300 },
  );
});

type Step = <T>(work: () => T) => Promise<T>;

/** The lock's files in memory; every step of every process waits for its turn. */
class World {
  readonly #scheduler: fc.Scheduler;
  readonly #files = new Map<number, string>();
  readonly #dead = new Set<number>();
  readonly #holders = new Set<number>();
  worst = 0;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
  }

  async actor(pid: number, turns: number, diesAt: number): Promise<void> {
    const files = this.#filesOf(this.#stepsOf(pid, diesAt));
    for (let done = 0; done < turns;) {
      const attempt = await takeLock(files, {
        self: { pid, startTime: '', hostname: '' },
        liveness: (other) => (this.#dead.has(other.pid) ? 'dead' : 'alive'),
      });
      if (!('taken' in attempt)) continue;
      done += 1;
      await this.#holdFor(pid, attempt.taken);
    }
  }

  /** When all is over: dead or released, the lock can be had. */
  async heir(): Promise<LockAttempt> {
    const self = { pid: 0, startTime: '', hostname: '' };
    return await takeLock(
      this.#filesOf(async (work) => await Promise.resolve(work())),
      {
        self,
        liveness: ({ pid }) => (this.#dead.has(pid) ? 'dead' : 'alive'),
      },
    );
  }

  async #holdFor(pid: number, lock: GenerationLock): Promise<void> {
    this.#holders.add(pid);
    this.worst = Math.max(this.worst, this.#holders.size);
    await this.#scheduler.schedule(Promise.resolve());
    // Given up before it is said, as the host stops Temporal before it releases.
    this.#holders.delete(pid);
    await lock.release();
  }

  #stepsOf(pid: number, diesAt: number): Step {
    let steps = 0;
    return async (work) => {
      await this.#scheduler.schedule(Promise.resolve());
      steps += 1;
      if (steps > diesAt) {
        this.#dead.add(pid);
        this.#holders.delete(pid);
        throw new Error('killed');
      }
      return work();
    };
  }

  #filesOf(step: Step): LockFiles {
    return {
      name: 'memory',
      pathOf: String,
      list: async () => await step(() => [...this.#files.keys()]),
      read: async (n) => await step(() => this.#files.get(n)),
      create: async (n, body) =>
        await step(() => !this.#files.has(n) && this.#files.set(n, body).has(n)),
      replace: async (n, body) => await step(() => void this.#files.set(n, body)),
      remove: async (n) => await step(() => void this.#files.delete(n)),
    };
  }
}
