import { Command } from 'commander';
import type { Config } from '../../config/load-config.ts';
import { exitCodeOf } from '../../model/errors.ts';
import { lakeText } from '../../model/lake-address.ts';
import { printable } from '../../model/names.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { ok, problem, runGroup } from '../doctor/check.ts';
import type { Check, CheckResult, Finding } from '../doctor/check.ts';

export interface DoctorReport {
  checks: CheckResult[];
  ok: boolean;
}

export function doctorCommand(context: CliContext): Command {
  const command = new Command('doctor')
    .summary('look whether everything is as it should be')
    .description(
      'Checks Node, the settings, Temporal, the disk and, for a lake in a bucket, what it needs of S3: a line ' +
        'each, and how to fix a problem. In S3 a small file is landed, read and removed again, and what fails ' +
        'first is named. Exit code 2 where there is a problem.',
    )
    .action(async (flags: Flags) => {
      const groups = await groupsOf(context);
      const checks = await interruptible(
        async (signal) => await runAll(groups, signal),
        'The look',
      );
      // Problems are the result of this command, not an error. The exit code reports them too.
      const ok = checks.every(({ status }) => status !== 'problem');
      if (!ok) context.setExitCode(exitCodeOf('CONFIG_INVALID'));
      const report: DoctorReport = { checks, ok };
      await print(context, flags, report, () => doctorText(checks));
    });
  return examples(command, ['doctor', 'doctor --lake s3://my-lake --json']);
}

/** Groups run in parallel. The checks of one group run in order, because each relies on the earlier ones. */
async function groupsOf(context: CliContext): Promise<Check[][]> {
  const general = [
    alone('node', 'Node', () => nodeFinding(process.versions.node)),
    alone('settings', 'Settings', () => settingsFinding(context.loadConfig())),
  ];
  let config: Config;
  try {
    config = context.loadConfig();
  } catch {
    // The check of the settings says why they cannot be loaded. The other checks need them, so they are left out.
    return general;
  }
  const { settings } = config;
  const { lake, glueDatabase } = settings;
  const look = await import('../doctor/findings.ts');
  const ofBucket = [];
  if (lake.kind === 's3') {
    const { s3Checks } = await import('../doctor/s3.ts');
    ofBucket.push(s3Checks(lake));
    ofBucket.push(alone('httpfs', 'DuckDB httpfs', async () => await look.httpfsFinding(settings)));
    if (glueDatabase !== undefined) {
      ofBucket.push(
        alone('glue', 'AWS Glue', async (signal) => await look.glueFinding(glueDatabase, signal)),
      );
    }
  }
  return [
    ...general,
    alone('temporal', 'Temporal', async () => await look.temporalFinding(config)),
    alone('disk', 'Disk', async () => await look.diskFinding(settings)),
    ...ofBucket,
    alone('java', 'Java', async () => await look.javaFinding(settings)),
    alone('spark', 'Spark', async () => await look.sparkFinding(settings)),
    alone('emr', 'EMR', async (signal) => await look.awsFinding(settings, signal)),
  ];
}

function alone(id: string, title: string, run: Check['run']): Check[] {
  return [{ id, title, run }];
}

function settingsFinding({ settings, datasets }: Config): Finding {
  const { lake, datasetsFile, engine } = settings;
  const known =
    datasets.length === 0
      ? `no datasets in ${datasetsFile}, so only a URL or a file can be ingested`
      : `${datasets.length === 1 ? '1 dataset' : `${datasets.length} datasets`} in ${datasetsFile}`;
  return ok(`lake ${lakeText(lake)}, engine ${engine}, ${known}`);
}

/** The same version as `engines` in package.json. */
const OLDEST = { major: 20, minor: 19 } as const;
/** The AWS SDK warns that its releases after January 2027 need this version. */
const AWS_SDK_MAJOR = 22;
const RECOMMENDED_MAJOR = 24;

/** @param version for example `20.20.2`. */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    const found = `${version} is too old: ${OLDEST.major}.${OLDEST.minor} is the oldest that works`;
    return problem(found, `Install Node ${RECOMMENDED_MAJOR} (https://nodejs.org).`);
  }
  if (major >= RECOMMENDED_MAJOR) return ok(version);
  const awsSdk =
    major < AWS_SDK_MAJOR
      ? `; releases of the AWS SDK after January 2027 need Node ${AWS_SDK_MAJOR} or later`
      : '';
  return ok(`${version} (${RECOMMENDED_MAJOR} is recommended)${awsSdk}`);
}

async function runAll(groups: readonly Check[][], signal: AbortSignal): Promise<CheckResult[]> {
  // Every group must end, because its checks remove the files that they wrote.
  const ended = await Promise.allSettled(groups.map((group) => runGroup(group, signal)));
  return ended.flatMap((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

const MARKS = { ok: 'ok', problem: 'PROBLEM', unknown: 'cannot tell' } as const;
const MARK_WIDTH = Math.max(...Object.values(MARKS).map((mark) => mark.length));

function doctorText(checks: readonly CheckResult[]): string {
  const titleWidth = Math.max(...checks.map(({ title }) => title.length));
  const indent = ' '.repeat(MARK_WIDTH + titleWidth + 4);
  const lines = checks.map(({ title, status, found, fix }) => {
    const head = `${MARKS[status].padEnd(MARK_WIDTH)}  ${title.padEnd(titleWidth)}  `;
    const body = [...found.split('\n'), ...(fix === undefined ? [] : [`→ ${fix}`])];
    return head + body.map((line) => printable(line)).join(`\n${indent}`);
  });
  const count = checks.filter(({ status }) => status === 'problem').length;
  const some = count === 1 ? 'One problem.' : `${count} problems.`;
  return [...lines, '', count === 0 ? 'No problem found.' : some].join('\n');
}
