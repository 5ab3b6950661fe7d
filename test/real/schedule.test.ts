import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  Client,
  Connection,
  ScheduleNotFoundError,
  type ScheduleDescription,
} from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import type { ScheduleSummary } from '../../src/cli/commands/schedule.ts';
import type { Change } from '../../src/cli/schedule/apply.ts';
import { lastDue, startOfDay } from '../../src/cli/due.ts';
import { cronFingerprint, fingerprintOf } from '../../src/cli/schedule/fingerprint.ts';
import { readCron } from '../../src/config/cron.ts';
import { findEmbedded } from '../../src/embedded/host-link.ts';
import { ingestDateAt } from '../../src/model/dates.ts';
import { taskQueueOf, startLab, type Lab } from '../helpers/lab.ts';

const CSV = 'id,name\r\n1,a\r\n2,b\r\n';
const DAY_MS = 86_400_000;
const DAYS = ['2026-03-06', '2026-03-07', '2026-03-08', '2026-03-09'];

let lab: Lab & { close(): Promise<void> };
let connection: Connection;
let client: Client;

before(async () => {
  // Files of different days differ, although their ETags may be equal.
  const days = DAYS.map((day) => [`/days/${day}.csv`, { body: `${CSV}${day},x\n` }] as const);
  lab = await startLab({
    routes: { '/a.csv': { body: CSV }, ...Object.fromEntries(days) },
    // The publisher holds an answer. The worker must not take this for a stall.
    env: { HTTP_STALL_TIMEOUT_SECONDS: '60' },
  });
  const embedded = await findEmbedded(lab.stateDir);
  connection = await Connection.connect({ address: embedded?.address ?? '' });
  client = new Client({ connection, namespace: embedded?.namespace ?? '' });
});

after(async () => {
  await connection?.close();
  await lab?.close();
});

interface Applied {
  changes: Change[];
}

interface Failure {
  error: { code: string; message: string };
}

/** Writes datasets.yaml. Longhaul refuses an empty file, so the file always has one dataset without a schedule. */
async function datasets(entries: string[]): Promise<void> {
  const lines = [...entries, dataset('idle', 'schedule: false')].map((each) => `  ${each}\n`);
  const file = lab.env['DATASETS_FILE'] ?? '';
  await writeFile(file, `schedule: { jitter: "0" }\ndatasets:\n${lines.join('')}`);
}

/** The server lists a new schedule after a moment. `apply` finds the schedules to delete in this list. */
async function untilListed(...wanted: string[]): Promise<void> {
  for (;;) {
    const ids: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) ids.push(scheduleId);
    if (ids.toSorted().join() === wanted.toSorted().join()) return;
    await delay(100);
  }
}

/** Deletes all schedules, so that the next test starts without any. The server lists a deleted one for a moment. */
async function removeAll(): Promise<void> {
  for await (const { scheduleId } of client.schedule.list()) {
    await client.schedule
      .getHandle(scheduleId)
      .delete()
      .catch((error: unknown) => {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
      });
  }
  await untilListed();
}

function dataset(name: string, keys = '', path = '/a.csv'): string {
  const sources = `[{ id: a, address: "${lab.origin.address(path)}" }]`;
  return `${name}: { time_zone: America/Denver, sources: ${sources}${keys && `, ${keys}`} }`;
}

async function apply(...flags: string[]): Promise<{ code: number | null; actions: string[] }> {
  const { code, json } = await lab.json<Applied>(['schedule', 'apply', ...flags]);
  const actions = json.changes.map((change) => `${change.action} ${change.dataset}`);
  return { code, actions };
}

async function listed(name: string): Promise<ScheduleSummary> {
  const { json } = await lab.json<{ schedules: ScheduleSummary[] }>(['schedule', 'list']);
  const found = json.schedules.find((each) => each.dataset === name);
  return found ?? assert.fail(`${name} is not in the list`);
}

/** Waits until this many runs of the schedule have ended. */
async function ended(name: string, runs: number): Promise<ScheduleSummary> {
  for (;;) {
    const schedule = await listed(name);
    const done = schedule.runs.filter(({ status }) => status !== 'RUNNING');
    if (done.length >= runs) return schedule;
    await delay(200);
  }
}

/** Start and end of weeks in which the tested time zones change their clocks. */
const CHANGES = [
  ['2027-03-10', '2027-05-05'],
  ['2027-08-30', '2027-11-12'],
] as const;

/** The server's description of cron lines, and the times at which it would start them. */
async function onServer(
  cronExpressions: string[],
  timezone: string,
): Promise<{ description: ScheduleDescription; weeks: Date[][] }> {
  const action = { type: 'startWorkflow', workflowType: 'none', taskQueue: 'none' } as const;
  const scheduleId = `times-${randomUUID()}`;
  const spec = { cronExpressions, timezone };
  const handle = await client.schedule.create({
    ...{ scheduleId, spec, action, state: { paused: true } },
  });
  const description = await handle.describe();
  const weeks = CHANGES.map(async ([from, to]) => {
    const { startTime } = await client.workflowService.listScheduleMatchingTimes({
      namespace: client.options.namespace,
      scheduleId,
      startTime: msToTs(Date.parse(from)),
      endTime: msToTs(Date.parse(to)),
    });
    return (startTime ?? []).map((time) => new Date(tsToMs(time)));
  });
  const all = await Promise.all(weeks);
  await handle.delete();
  return { description, weeks: all };
}

/** Longhaul's times from the first to the last of the server's times. Goes back from one due time to the one before. */
function reckonedTimes(text: string, timeZone: string, times: readonly Date[]): Date[] {
  const [first = assert.fail('nothing is due'), last = first] = [times[0], times.at(-1)];
  const reckoned: Date[] = [];
  for (let before = last; before >= first; before = new Date(before.getTime() - 1)) {
    before = lastDue({ kind: 'cron', text, timeZone }, before) ?? assert.fail('nothing is due');
    if (before >= first) reckoned.unshift(before);
  }
  return reckoned;
}

function byDay(times: readonly Date[], timeZone: string): Map<string, Date[]> {
  const days = new Map<string, Date[]>();
  for (const time of times) {
    const day = ingestDateAt(time, timeZone);
    days.set(day, [...(days.get(day) ?? []), time]);
  }
  return days;
}

function isWholeDay(day: string, timeZone: string): boolean {
  const next = new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10);
  const ms = startOfDay(next, timeZone).getTime() - startOfDay(day, timeZone).getTime();
  return ms === DAY_MS;
}

/** A field of a cron line. It is valid for one of the five positions, or nearly valid. */
function field(): fc.Arbitrary<string> {
  const value = fc.oneof(
    fc.integer({ min: 0, max: 32 }).map(String),
    fc.constantFrom('7', '59', '60', '005', 'mon', 'SUN', 'feb', 'L'),
  );
  const range = fc.oneof(
    fc.constant('*'),
    value,
    fc.tuple(value, value).map((ends) => ends.join('-')),
  );
  const step = fc.oneof(
    fc.constant(''),
    fc.constant(''),
    fc.integer({ min: 0, max: 61 }).map((by) => `/${by}`),
  );
  const item = fc.tuple(range, step).map((both) => both.join(''));
  return fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(','));
}

async function publishedDays(name: string): Promise<string[]> {
  return (await lab.published(name)).map(({ ingestDate }) => ingestDate).toSorted();
}

describe('longhaul schedule apply', () => {
  afterEach(removeAll);

  it('makes the server equal to the file, and nothing more when it is', async () => {
    await datasets([
      dataset('one'),
      dataset('two', 'schedule: { every: 6h }'),
      dataset('odd', 'schedule: { cron: "*/20 8-18/5,23 * JAN,mar-may/2 5-7" }'),
      dataset('no', 'schedule: false'),
    ]);
    const all = ['one', 'two', 'odd'];
    const created = all.map((name) => `create ${name}`);
    assert.deepEqual((await apply('--dry-run')).actions, created);
    assert.deepEqual((await apply()).actions, created);
    assert.deepEqual(
      (await apply()).actions,
      all.map((name) => `unchanged ${name}`),
    );
    const calendars = (await client.schedule.getHandle('longhaul/odd').describe()).spec.calendars;
    assert.equal(calendars?.[0]?.comment, '*/20 8-18/5,23 * JAN,mar-may/2 5-7');

    const { when, timeZone, next, runs, state } = await listed('one');
    assert.deepEqual(
      [when, timeZone, state, runs.length, next.length],
      ['0 6 * * *', 'America/Denver', 'applied', 0, 5],
    );
    assert.equal((await listed('two')).when, 'every 6h');

    await datasets([
      dataset('one', 'schedule: { cron: "30 5 * * mon-fri", timezone: Asia/Kolkata }'),
      dataset('zwei', 'schedule: { every: 6h }'),
      dataset('odd', 'schedule: false'),
      dataset('no', 'schedule: false'),
    ]);
    const changed = await lab.json<Applied>(['schedule', 'apply']);
    assert.deepEqual(
      changed.json.changes.map(({ action, differences }) => [
        action,
        differences.map(({ fact }) => fact),
      ]),
      [
        ['update', ['when', 'time zone']],
        ['create', changed.json.changes[1]?.differences.map(({ fact }) => fact)],
        ['delete', []],
        ['delete', []],
      ],
    );
    assert.equal((await listed('one')).when, '30 5 * * 1-5');
    await untilListed('longhaul/one', 'longhaul/zwei');
    await datasets([]);
    assert.deepEqual((await apply()).actions, ['delete one', 'delete zwei']);
  });

  it('says that a deleted schedule looks renamed', async () => {
    await datasets([dataset('before', 'schedule: { paused: true }')]);
    await apply();
    await untilListed('longhaul/before');
    await datasets([dataset('afterwards', 'schedule: { paused: true }')]);
    const { json } = await lab.json<Applied>(['schedule', 'apply']);
    assert.match(json.changes[1]?.reason ?? '', /no dataset before .* those of afterwards now/);
  });

  it('shows what was changed in the Web UI and leaves it alone, unless forced', async () => {
    await datasets([dataset('edited')]);
    await apply();
    const handle = client.schedule.getHandle('longhaul/edited');
    await handle.update(({ spec, ...rest }) => ({ ...rest, spec: { ...spec, jitter: '1h' } }));
    assert.equal((await listed('edited')).state, 'by-hand');
    const left = await lab.json<Applied>(['schedule', 'apply']);
    assert.equal(left.code, 8);
    assert.equal(left.json.changes[0]?.action, 'left-alone');
    assert.deepEqual(left.json.changes[0]?.differences, [{ fact: 'jitter', from: '1h', to: '0' }]);
    assert.deepEqual(await apply('--force'), { code: 0, actions: ['update edited'] });
    assert.deepEqual(await apply(), { code: 0, actions: ['unchanged edited'] });
  });

  it('touches no schedule that it did not make', async () => {
    const action = { type: 'startWorkflow', workflowType: 'theirs', taskQueue: 'theirs' } as const;
    for (const scheduleId of ['theirs', 'longhaul/mine']) {
      await client.schedule.create({ scheduleId, spec: {}, action, state: { paused: true } });
    }
    await datasets([dataset('mine')]);
    assert.deepEqual(await apply('--force'), { code: 8, actions: ['left-alone mine'] });
    await untilListed('longhaul/mine', 'theirs');
    await datasets([]);
    assert.deepEqual((await apply('--force')).actions, []);
    for (const scheduleId of ['theirs', 'longhaul/mine']) {
      const handle = client.schedule.getHandle(scheduleId);
      assert.equal((await handle.describe()).action.workflowType, 'theirs');
    }
  });

  it('leaves a pause alone until the file says otherwise', async () => {
    await datasets([dataset('paused')]);
    await apply();
    assert.equal((await lab.run(['schedule', 'pause', 'paused', '--note', 'a move'])).code, 0);
    await datasets([dataset('paused', 'schedule: { every: 1d }')]);
    assert.deepEqual((await apply()).actions, ['update paused']);
    const { paused, note, next } = await listed('paused');
    assert.deepEqual([paused, note, next], [true, 'a move', []]);
    await lab.run(['schedule', 'resume', 'paused']);
    assert.equal((await listed('paused')).paused, false);
    await datasets([dataset('paused', 'schedule: { every: 1d, paused: true }')]);
    await apply();
    assert.equal((await listed('paused')).paused, true);
  });

  it('twice at once leaves the server equal to the file', async () => {
    const names = ['a', 'b', 'c', 'd'].map((name) => `both-${name}`);
    await datasets(names.map((name) => dataset(name)));
    const runs = await Promise.all([apply(), apply()]);
    await datasets(names.map((name) => dataset(name, 'schedule: { every: 2d }')));
    const again = await Promise.all([apply(), apply()]);
    for (const { code } of [...runs, ...again]) assert.equal(code, 0);
    assert.deepEqual(
      (await apply()).actions,
      names.map((name) => `unchanged ${name}`),
    );
  });
});

describe('a schedule', () => {
  afterEach(removeAll);

  it('loads past days, each as the nominal day in the time zone, across a change of the clocks', async () => {
    await datasets([dataset('days', 'schedule: { cron: "30 2,23 * * *" }', '/days/{date}.csv')]);
    await apply();
    const backfill = ['--from', DAYS[0] ?? '', '--to', DAYS[3] ?? ''];
    const { code, stderr } = await lab.run(['schedule', 'backfill', 'days', ...backfill]);
    assert.equal(code, 0, stderr);
    // 02:30 of 8 March does not exist. 23:30 is on the next day in UTC.
    await ended('days', 5);
    while ((await publishedDays('days')).length < DAYS.length) await delay(200);
    assert.deepEqual(await publishedDays('days'), DAYS);
    for (const { ingestDate, sources } of await lab.published('days')) {
      assert.equal(sources[0]?.url, lab.origin.address(`/days/${ingestDate}.csv`));
    }
  });

  it('that loads past days has a slot of its own for them: the daily run passes them by', async () => {
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const day of DAYS) {
      const body = `${CSV}${day},slow\n`;
      lab.origin.set(`/slow/${day}.csv`, { body, pauseAfterBytes: { bytes: 5, until } });
    }
    await datasets([dataset('past', '', '/slow/{date}.csv'), dataset('daily')]);
    await apply();
    try {
      const days = ['--from', DAYS[0] ?? '', '--to', DAYS[3] ?? ''];
      await lab.run(['schedule', 'backfill', 'past', ...days]);
      const asked = (): string[] => [
        ...new Set(
          lab.origin.requests.map(({ path }) => path).filter((path) => path.startsWith('/slow/')),
        ),
      ];
      while (asked().length === 0) await delay(50);
      await lab.run(['schedule', 'trigger', 'daily']);
      await ended('daily', 1);
      assert.equal((await publishedDays('daily')).length, 1);
      assert.deepEqual([asked().length, await publishedDays('past')], [1, []]);
    } finally {
      release();
    }
    while ((await publishedDays('past')).length < DAYS.length) await delay(200);
  });

  it('is due when `status` reckons, whatever the clocks do', async () => {
    const zones = ['America/Denver', 'Australia/Lord_Howe', 'Africa/Cairo', 'America/Santiago'];
    const daily = ['30 2 * * *', '0 0 * * *', '30 0,2,23 * * *'];
    const lines = [...daily, '30 1 * * sun', '*/20 1-3 */2 * *'];
    const both = [...zones, 'Asia/Kathmandu', 'Pacific/Kiritimati'].flatMap((timeZone) =>
      lines.map((text) => ({ timeZone, text })),
    );
    for (const { timeZone, text } of both) {
      const { weeks } = await onServer([text], timeZone);
      for (const times of weeks) {
        const reckoned = byDay(reckonedTimes(text, timeZone, times), timeZone);
        const started = byDay(times, timeZone);
        assert.ok(started.size > 7, `${started.size} days`);
        assert.deepEqual([...reckoned.keys()], [...started.keys()], `${text} in ${timeZone}`);
        for (const [day, all] of started) {
          // When the clocks change, a server may miss one of two times or start a skipped one later.
          if (!isWholeDay(day, timeZone)) continue;
          assert.deepEqual(reckoned.get(day), all, `${text} in ${timeZone}`);
        }
      }
    }
  });

  it('is due on the values that datasets.yaml was checked for: a line is read alike, or refused', async () => {
    const line = fc
      .tuple(fc.integer({ min: 0, max: 4 }), field())
      .map(([index, part]) => ['0', '6', '*', '*', '*'].with(index, part).join(' '))
      .filter((text) => 'fields' in readCron(text));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 40, maxLength: 60 }), async (texts) => {
        const { description } = await onServer(texts, 'UTC');
        const wanted = texts.map((text) => cronFingerprint(text));
        const found = fingerprintOf(description)['when']?.split('; ');
        assert.deepEqual(new Set(found), new Set(wanted));
      }),
      { numRuns: 5 },
    );
  });

  it('is due on the days of the week that datasets.yaml was checked for, in every form of a range', async () => {
    const days = [...Array.from({ length: 8 }, (_, day) => `${day}`), '07', 'sun', 'Mon', 'SAT'];
    const ends = days.flatMap((first) => days.map((last) => `${first}-${last}`));
    const ranges = [...days, ...ends, '*'].flatMap((range) =>
      ['', '/1', '/2', '/7'].map((step) => range + step),
    );
    // The minute and the hour tell the lines apart.
    const texts = ranges
      .map((range, index) => `${index % 60} ${Math.floor(index / 60)} * * ${range}`)
      .filter((text) => 'fields' in readCron(text));
    const { description } = await onServer(texts, 'UTC');
    const found = fingerprintOf(description)['when']?.split('; ').toSorted();
    assert.deepEqual(found, texts.map((text) => cronFingerprint(text)).toSorted());
  });

  it('refuses a past day of a source that has only today, to a backfill, a command and the Web UI alike', async () => {
    await datasets([dataset('today')]);
    await apply();
    const flags = ['--from', '2026-03-06', '--to', '2026-03-06'];
    const { code, json } = await lab.json<Failure>(['schedule', 'backfill', 'today', ...flags]);
    assert.deepEqual([code, json.error.code], [2, 'BACKFILL_REFUSED']);
    await client.schedule.getHandle('longhaul/today').backfill({
      start: new Date('2026-03-06T00:00:00Z'),
      end: new Date('2026-03-07T00:00:00Z'),
      overlap: 'ALLOW_ALL',
    });
    const { runs, paused } = await ended('today', 1);
    assert.equal(runs[0]?.status, 'FAILED');
    assert.equal(paused, false);
    const shown = await lab.json<Failure>(['show', runs[0].workflowId]);
    assert.equal(shown.json.error.code, 'BACKFILL_REFUSED');
    assert.match(shown.json.error.message, /stored as what was there on 2026-03-06/);
    assert.deepEqual(await publishedDays('today'), []);
  });

  it('that is triggered joins the run of the day, and can be followed', async () => {
    await datasets([dataset('joined')]);
    await apply();
    const { json } = await lab.json<{ ingestDate: string }>(['schedule', 'trigger', 'joined']);
    const { runs } = await ended('joined', 1);
    const run = runs[0]?.workflowId ?? '';
    type Shown = { status: string; result: { status: string } };
    const follow = await lab.json<Shown>(['show', run, '--follow']);
    assert.deepEqual(
      [follow.code, follow.json.status, follow.json.result.status],
      [0, 'COMPLETED', 'published'],
    );
    assert.deepEqual(await publishedDays('joined'), [json.ingestDate]);
    const again = await lab.json<{ status: string; ingestDate: string }>(['retry', run]);
    assert.deepEqual(
      [again.json.status, again.json.ingestDate],
      ['already-published', json.ingestDate],
    );
  });

  it('goes on after a failed run, and pauses itself after several in a row, saying why', async () => {
    await datasets([dataset('failing', 'schedule: { pause_after_failures: 2 }', '/gone.csv')]);
    await apply();
    await lab.run(['schedule', 'trigger', 'failing']);
    const once = await ended('failing', 1);
    assert.deepEqual([once.paused, once.runs[0]?.status], [false, 'FAILED']);
    await lab.run(['schedule', 'trigger', 'failing']);
    const twice = await ended('failing', 2);
    assert.equal(twice.paused, true);
    assert.match(
      twice.note ?? '',
      /after 2 failed runs in a row.*SOURCE_NOT_FOUND: .*→ Fix the address/,
    );
  });

  it('that is not there is an error that says so', async () => {
    for (const command of ['pause', 'remove']) {
      const { code, json } = await lab.json<Failure>(['schedule', command, 'nosuch']);
      assert.deepEqual([code, json.error.code], [2, 'SCHEDULE_UNKNOWN']);
    }
    await datasets([dataset('gone')]);
    await apply();
    assert.equal((await lab.run(['schedule', 'remove', 'gone'])).code, 0);
    assert.equal((await lab.run(['schedule', 'trigger', 'gone'])).code, 2);
  });
});

describe('ingestDataset started by hand', () => {
  const start = async (workflowId: string, input: unknown): Promise<unknown> => {
    const handle = await client.workflow.start('ingestDataset', {
      workflowId,
      taskQueue: await taskQueueOf(lab),
      args: [input],
    });
    return await handle.result();
  };

  it("with a name alone takes the day from the run's id, and the rest from datasets.yaml", async () => {
    await datasets([dataset('hand', '', '/days/{yyyy}-{mm}-{dd}.csv')]);
    const result = await start(`ingest/hand/${DAYS[1]}`, { dataset: 'hand' });
    assert.equal((result as { status: string }).status, 'published');
    assert.deepEqual(await publishedDays('hand'), [DAYS[1]]);
    const again = await lab.json<{ status: string }>(['ingest', 'hand', '--date', DAYS[1] ?? '']);
    assert.equal(again.json.status, 'already-published');
  });

  it('fails at once where the input is none, and says what to write', async () => {
    const fails = async (id: string, input: unknown): Promise<Failure['error']> => {
      await assert.rejects(start(id, input));
      return (await lab.json<Failure>(['show', id])).json.error;
    };
    const dataset = 'hand';
    const failures: [unknown, RegExp][] = [
      [{ dataset }, /has the workflow id ingest\/hand\/\d{4}-\d\d-\d\d, not "wrong/],
      [{ dataset: '../up' }, /not a dataset name/],
      [{ dataset, ingestDate: 'today' }, /not a date/],
      [{ dataset, colour: 'red' }, /"colour" is not known/],
      ['hand', /must be a JSON object.*Write \{"dataset"/],
      [{}, /"dataset" is missing/],
      [{ dataset, spec: { name: 'hand', sources: [] } }, /must be a list of sources/],
    ];
    for (const [index, [input, says]] of failures.entries()) {
      const { code, message } = await fails(`wrong ${index}`, input);
      assert.equal(code, 'RUN_INPUT_INVALID');
      assert.match(message, says);
    }
    const { code, message } = await fails(`ingest/nosuch/${DAYS[1]}`, { dataset: 'nosuch' });
    assert.equal(code, 'DATASET_UNKNOWN');
    assert.match(message, /there: hand/);
  });

  it('takes no day that is to come, and what there is today as a past day only if that is meant', async () => {
    await datasets([dataset('meant')]);
    const hand = async (day: string, choices: object): Promise<string> => {
      const id = `ingest/meant/${day}`;
      const [done] = await Promise.allSettled([start(id, { dataset: 'meant', ...choices })]);
      if (done.status === 'fulfilled') return 'published';
      return (await lab.json<Failure>(['show', id])).json.error.code;
    };
    assert.equal(await hand('9999-12-31', { asIf: true }), 'DATE_IN_FUTURE');
    assert.equal(await hand('2026-03-05', {}), 'BACKFILL_REFUSED');
    assert.deepEqual(await publishedDays('meant'), []);
    assert.equal(await hand('2026-03-05', { asIf: true }), 'published');
    assert.deepEqual(await publishedDays('meant'), ['2026-03-05']);
  });
});
