import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  desiredSchedules,
  hashOf,
  type DesiredSchedule,
  type ExistingSchedule,
} from '../../../src/cli/schedule/fingerprint.ts';
import { schedulesText } from '../../../src/cli/commands/schedule.ts';
import {
  changesText,
  planOf,
  planOfUnwanted,
  type Change,
} from '../../../src/cli/schedule/apply.ts';
import { parseDatasets } from '../../../src/config/load-datasets.ts';
import type { Config } from '../../../src/config/load-config.ts';

/** @param keys keys of the schedule, in YAML's flow style. */
function wanted(keys = '{}', address = 'http://h/a.csv'): DesiredSchedule {
  const text = `datasets:\n  d: { schedule: ${keys}, sources: [{ id: a, address: "${address}" }] }`;
  const { datasets, schedules, problems } = parseDatasets(text, 'd.yaml');
  assert.deepEqual(problems, []);
  const settings = { engine: 'duckdb', temporal: {} } as Config['settings'];
  const config: Config = {
    cwd: '/',
    datasets,
    schedules,
    keep: [],
    settings,
    searchPath: '',
    runtimeDir: '',
    secretsOf: () => ({}),
    fingerprints: {},
  };
  const [first] = desiredSchedules(config, 'longhaul-0');
  return first ?? assert.fail();
}

/** The schedule as the server returns it after it was applied. */
function applied(as: DesiredSchedule, changes: Partial<ExistingSchedule> = {}): ExistingSchedule {
  const { scheduleId, fingerprint, paused } = as;
  const memo = { hash: hashOf(fingerprint), paused };
  return {
    ...{ scheduleId, dataset: 'd', fingerprint, paused, applied: memo, ...changes },
    description: undefined as never,
  };
}

function changed(change: Change): string {
  const differences = change.differences.map(({ fact, from, to }) => `${fact}: ${from} → ${to}`);
  return [change.action, ...differences].join(', ');
}

const QUIET = false;
const FORCE = true;

describe('what apply does with a schedule', () => {
  it('creates, updates only what differs, and then nothing more', () => {
    const daily = wanted();
    assert.equal(planOf(daily, undefined, QUIET).action, 'create');
    assert.equal(changed(planOf(daily, applied(daily), QUIET)), 'unchanged');
    const later = wanted('{ cron: "30 7 * * *", jitter: 90m }');
    assert.equal(
      changed(planOf(later, applied(daily), QUIET)),
      'update, when: 0 6 * * * → 30 7 * * *, jitter: 5m → 90m',
    );
    const moved = wanted('{}', 'http://h/b.csv');
    assert.match(
      changed(planOf(moved, applied(daily), QUIET)),
      /^update, source a: http:\/\/h\/a\.csv .* → http:\/\/h\/b\.csv/,
    );
  });

  it('leaves alone what was changed on the server, unless forced, or changed to what the file says', () => {
    const daily = wanted();
    const edited = applied(daily, { fingerprint: { ...daily.fingerprint, jitter: '1h' } });
    const left = planOf(daily, edited, QUIET);
    assert.equal(changed(left), 'left-alone, jitter: 1h → 5m');
    assert.match(left.reason ?? '', /changed since the last apply/);
    assert.equal(planOf(daily, edited, FORCE).action, 'update');
    const sameAsFile = applied(wanted('{ every: 1d }'), { fingerprint: daily.fingerprint });
    assert.equal(changed(planOf(daily, sameAsFile, QUIET)), 'update');
  });

  it('never takes over one that it did not make', () => {
    const daily = wanted();
    const foreign = applied(daily, { applied: undefined });
    for (const asked of [QUIET, FORCE]) {
      assert.equal(planOf(daily, foreign, asked).action, 'left-alone');
    }
  });

  it('touches a pause only when the file changes its mind', () => {
    const running = wanted();
    const paused = wanted('{ paused: true }');
    assert.equal(changed(planOf(running, applied(running, { paused: true }), QUIET)), 'unchanged');
    assert.equal(changed(planOf(paused, applied(running), QUIET)), 'update, paused: false → true');
    assert.equal(changed(planOf(running, applied(paused), QUIET)), 'update, paused: true → false');
    const resumed = applied(paused, { paused: false });
    assert.match(planOf(paused, resumed, QUIET).reason ?? '', /resumed by hand/);
    assert.equal(changed(planOf(paused, resumed, FORCE)), 'update, paused: false → true');
  });

  it('deletes only what is its own, as it left it', () => {
    const daily = wanted();
    assert.equal(planOfUnwanted(applied(daily), 'gone', QUIET)?.action, 'delete');
    assert.equal(planOfUnwanted(applied(daily, { applied: undefined }), 'gone', QUIET), undefined);
    const edited = applied(daily, { fingerprint: { ...daily.fingerprint, jitter: '1h' } });
    assert.equal(planOfUnwanted(edited, 'gone', QUIET)?.action, 'left-alone');
    assert.equal(planOfUnwanted(edited, 'gone', FORCE)?.action, 'delete');
  });
});

describe('the difference, printed', () => {
  it('has a line for each schedule, what differs below, and a total', () => {
    const daily = wanted();
    const edited = applied(daily, { fingerprint: { ...daily.fingerprint, jitter: '1h' } });
    const changes = [
      planOf(daily, undefined, QUIET),
      planOf(wanted('{ every: 6h }'), applied(daily), QUIET),
      planOf(daily, edited, QUIET),
    ];
    assert.equal(
      changesText(changes, true),
      [
        '+ d  create: 0 6 * * * UTC',
        '~ d  update',
        '    when: 0 6 * * * → every 6h',
        '    time zone: UTC → (nothing)',
        '! d  left alone: it was changed since the last apply, in the Web UI perhaps',
        '    jitter: 1h → 5m',
        '',
        'Dry run, nothing was changed: 1 to create, 1 to update, 0 to delete, 0 unchanged, ' +
          '1 left alone (--force makes ours equal to the file).',
      ].join('\n'),
    );
  });

  it('shows times of a zone that only Temporal knows in UTC', () => {
    const text = schedulesText([
      {
        ...{ dataset: 'd', scheduleId: 'longhaul/d', when: '0 6 * * *', timeZone: 'Local' },
        ...{ paused: false, note: undefined, state: 'foreign', runs: [] },
        next: ['2026-11-30T06:00:00Z'],
      },
    ]);
    assert.match(text, /Local.*\n {2}next: 2026-11-30 06:00:00 \+00:00/s);
  });

  it('shows no control character of a note', () => {
    const text = schedulesText([
      {
        ...{ dataset: 'd', scheduleId: 'longhaul/d', when: '0 6 * * *', timeZone: 'UTC' },
        ...{ paused: true, note: 'gone\u001b[2J', state: 'applied', next: [], runs: [] },
      },
    ]);
    assert.ok(text.includes('paused: gone') && !text.includes('\u001b'));
  });
});
