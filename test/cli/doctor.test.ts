import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFinding, type DoctorReport } from '../../src/cli/commands/doctor.ts';
import { runGroup, type Check, type Finding } from '../../src/cli/doctor/check.ts';
import { spaceFinding } from '../../src/cli/doctor/findings.ts';
import { clockFinding } from '../../src/cli/doctor/s3.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { workplace, type Workplace } from './fake-context.ts';

async function look(place: Workplace): Promise<DoctorReport & { exitCode: number }> {
  const { exitCode, stdout } = await place.run('doctor', '--json');
  return { ...(JSON.parse(stdout) as DoctorReport), exitCode };
}

function find({ checks }: DoctorReport, id: string) {
  return checks.find((each) => each.id === id);
}

test('without a bucket nothing is asked of S3, and the look changes nothing', async () => {
  const place = workplace();
  const report = await look(place);
  const ids = report.checks.map(({ id }) => id);
  assert.deepEqual(ids, ['node', 'settings', 'temporal', 'disk', 'java', 'spark', 'emr']);
  assert.deepEqual(readdirSync(place.cwd), []);
  assert.equal(find(report, 'settings')?.status, 'ok');
});

test('--lake wins over LAKE: a lake on a disk has no checks of a bucket', async () => {
  const place = workplace({ '.env': 'LAKE=s3://some-bucket\n' });
  const { stdout } = await place.run('doctor', '--lake', 'data', '--json');
  const ids = (JSON.parse(stdout) as DoctorReport).checks.map(({ id }) => id);
  assert.ok(!ids.some((id) => id.startsWith('s3')), ids.join());
});

test('settings that do not pass are one check with all their problems; the rest goes on', async () => {
  const place = workplace({ 'datasets.yaml': 'datasets: 3\n', '.env': 'ENGINE=sprak\n' });
  const report = await look(place);
  assert.equal(report.exitCode, 2);
  assert.equal(report.ok, false);
  const settings = find(report, 'settings');
  assert.equal(settings?.status, 'problem');
  assert.match(settings.found, /\.env:1: ENGINE[^]*datasets\.yaml:1: "datasets" must be a map/);
  assert.ok(find(report, 'node'));
  const { stdout } = await place.run('doctor');
  assert.match(stdout, /^PROBLEM\s+Settings .*\n\s+\.env:1: .*\n\s+datasets\.yaml:1: .*\n\s+→ /m);
});

test('a Temporal that does not answer is a problem with its address', async () => {
  const report = await look(workplace({ '.env': 'TEMPORAL_ADDRESS=127.0.0.1:1\n' }));
  const temporal = find(report, 'temporal');
  assert.equal(temporal?.status, 'problem');
  assert.match(temporal.found, /127\.0\.0\.1:1/);
  assert.match(temporal.fix ?? '', /TEMPORAL_ADDRESS/);
});

test('a TEMPORAL_CLI that is no Temporal is a problem; nothing is fetched instead', async () => {
  const report = await look(workplace({ '.env': 'TEMPORAL_CLI=nowhere/temporal\n' }));
  const temporal = find(report, 'temporal');
  assert.equal(temporal?.status, 'problem');
  assert.match(temporal.found, /TEMPORAL_CLI names nowhere\/temporal/);
});

test('a lake that cannot be written is a problem, and nothing is left in one that can', async () => {
  const place = workplace({ '.env': 'LAKE=file/data\n', file: 'no folder\n' });
  const disk = find(await look(place), 'disk');
  assert.equal(disk?.status, 'problem');
  assert.match(disk.found, /cannot be written: .* a file where a folder should be/);
  const good = workplace();
  mkdirSync(join(good.cwd, 'data'));
  await look(good);
  assert.deepEqual(readdirSync(join(good.cwd, 'data')), []);
});

test('a DUCKDB_HTTPFS that is no extension is a problem', async () => {
  const place = workplace({
    '.env': 'LAKE=s3://some-bucket\nDUCKDB_HTTPFS=httpfs\nS3_PATH_STYLE=true\n',
    httpfs: 'no extension\n',
  });
  process.env['AWS_ENDPOINT_URL_S3'] = 'http://127.0.0.1:1';
  try {
    const httpfs = find(await look(place), 'httpfs');
    assert.equal(httpfs?.status, 'problem');
    assert.match(httpfs.found, /DUCKDB_HTTPFS names .*httpfs/);
  } finally {
    delete process.env['AWS_ENDPOINT_URL_S3'];
  }
});

test('a program that fails, or is of another version, is no problem where nothing needs it', async () => {
  const bin = mkdtempSync(join(tmpdir(), 'longhaul-bin-'));
  const write = (name: string, script: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  try {
    for (const name of ['java', 'spark-submit']) write(name, 'exit 1');
    for (const [engine, status] of [
      ['duckdb', 'unknown'],
      ['spark', 'problem'],
    ] as const) {
      const place = workplace({ '.env': `ENGINE=${engine}\n` }, { PATH: bin });
      write('java', 'exit 1');
      const failing = await look(place);
      assert.equal(find(failing, 'java')?.status, status);
      assert.match(find(failing, 'java')?.found ?? '', /bin.*\/java does not run/);
      assert.notEqual(find(failing, 'spark')?.status, 'problem');
      write('java', 'echo \'openjdk version "25.0.1"\' >&2');
      const odd = find(await look(place), 'java');
      assert.equal(odd?.status, status);
      assert.match(odd.found, /is Java 25\.0\.1/);
    }
  } finally {
    rmSync(bin, { recursive: true });
  }
});

for (const [version, status, expected] of [
  ['18.20.0', 'problem', /too old/],
  ['20.18.3', 'problem', /too old/],
  ['20.19.0', 'ok', /24 is recommended.*January 2027 need Node 22/],
  ['22.1.0', 'ok', /24 is recommended\)$/],
  ['24.0.0', 'ok', /^24\.0\.0$/],
] as const) {
  test(`Node ${version} is ${status}`, () => {
    const finding = nodeFinding(version);
    assert.equal(finding.status, status);
    assert.match(finding.found, expected);
    assert.equal(finding.fix !== undefined, status === 'problem');
  });
}

test('little space is a problem', () => {
  assert.equal(spaceFinding(6 * 1024 ** 3, 'data').status, 'ok');
  const few = spaceFinding(100 * 1024 ** 2, 'data');
  assert.equal(few.status, 'problem');
  assert.match(few.found, /100 MiB free, less than 5\.0 GiB/);
});

test('a clock says in which direction it is off, and 5 minutes are too much', () => {
  assert.deepEqual(clockFinding(-3000), { status: 'ok', found: "3.0s ahead of S3's" });
  assert.match(clockFinding(6 * 60_000).found, /^6m 00s behind S3's/);
  assert.equal(clockFinding(-6 * 60_000).status, 'problem');
  assert.equal(clockFinding(undefined).status, 'unknown');
});

function check(id: string, run: Check['run'], more: Partial<Check> = {}): Check {
  return { id, title: id, run, ...more };
}

async function finds(status: Finding['status']): Promise<Finding> {
  return await Promise.resolve({ status, found: status });
}

const LISTENING = new AbortController().signal;

test('whatever a check throws is a finding, and the next one runs', async () => {
  const results = await runGroup(
    [
      check('known', async () => {
        throw new LonghaulError('STORE_FULL', 'Full.');
      }),
      check('unforeseen', async () => {
        throw new TypeError('of undefined');
      }),
      check('last', async () => await finds('ok')),
    ],
    LISTENING,
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    ['problem', 'unknown', 'ok'],
  );
  assert.match(results[0]?.fix ?? '', /quota/);
});

test('a check that never ends is given up', async () => {
  const never = async (): Promise<Finding> => await new Promise(() => undefined);
  const results = await runGroup([check('never', never)], LISTENING, 20);
  assert.equal(results[0]?.status, 'problem');
  assert.equal(results[0]?.found, 'no answer within 0.02 s');
});

test('behind a gate that has a problem only what always runs does', async () => {
  const results = await runGroup(
    [
      check('gate', async () => await finds('problem'), { gate: true }),
      check('behind', async () => await finds('ok')),
      check('always', async () => await finds('ok'), { always: true }),
    ],
    LISTENING,
  );
  assert.deepEqual(
    results.map(({ found }) => found),
    ['problem', 'not checked: gate comes first', 'ok'],
  );
});
