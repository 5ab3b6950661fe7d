import { Command } from 'commander';
import type { Config } from '../../config/load-config.ts';
import { exitCodeOf } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { Target } from '../../model/run.ts';
import { print, type CliContext } from '../context.ts';
import {
  ok,
  problem,
  runGroup,
  unknown,
  type Check,
  type CheckResult,
  type Finding,
} from '../doctor/check.ts';
import {
  diskFinding,
  httpfsFinding,
  javaFinding,
  nodeFinding,
  sparkFinding,
} from '../doctor/machine.ts';
import { interruptible } from '../interrupts.ts';
import { examples, withJson, withTarget, type Flags } from './options.ts';

/** The JSON of `longhaul doctor`. */
export interface DoctorReport {
  checks: CheckResult[];
  /** No check has a problem. */
  ok: boolean;
}

export function doctorCommand(context: CliContext): Command {
  const command = new Command('doctor')
    .summary('look whether everything is as it should be')
    .description(
      'Checks Node, the settings, Temporal, the disk and, with an S3_BUCKET, what the lake needs of S3: a line ' +
        'each, and what mends a problem. In S3 a small file is landed, read and removed again, and what fails ' +
        'first is named. Exit code 2 where there is a problem.',
    );
  const target = 'disk leaves S3 out, s3 insists on it (default: S3 where S3_BUCKET is set)';
  withJson(withTarget(command, target)).action(async (flags: Flags) => {
    const groups = await groupsOf(context, flags.target);
    const checks = await interruptible(async (signal) => await runAll(groups, signal), 'The look');
    // Problems are the result, and not an error on the way; the exit code says it too.
    const ok = checks.every(({ status }) => status !== 'problem');
    if (!ok) context.setExitCode(exitCodeOf('CONFIG_INVALID'));
    const report: DoctorReport = { checks, ok };
    await print(context, flags, report, () => doctorText(checks));
  });
  return examples(command, ['doctor', 'doctor --target s3 --json']);
}

/** Groups go side by side; the checks of one build on each other. */
async function groupsOf(context: CliContext, target?: Target): Promise<Check[][]> {
  const alone = (id: string, title: string, run: Check['run']): Check[] => [{ id, title, run }];
  const general = [
    alone('node', 'Node', () => nodeFinding(process.versions.node)),
    alone('settings', 'Settings', () => settingsFinding(context.loadConfig())),
  ];
  let config: Config;
  try {
    config = context.loadConfig();
  } catch {
    // The check of the settings says why; what needs them cannot be looked at.
    return general;
  }
  const { settings } = config;
  const { configuredTemporal, embeddedTemporal, emrFinding } =
    await import('../doctor/services.ts');
  return [
    ...general,
    alone('temporal', 'Temporal', async () =>
      settings.temporal.address === undefined
        ? await embeddedTemporal(config)
        : await configuredTemporal(settings),
    ),
    alone('disk', 'Disk', async () => await diskFinding(settings)),
    ...(await s3Groups(settings, target)),
    alone('java', 'Java', async () => await javaFinding(settings)),
    alone('spark', 'Spark', async () => await sparkFinding(settings)),
    alone('emr', 'EMR', async (signal) =>
      settings.engine === 'emr'
        ? await emrFinding(settings, signal)
        : unknown('not checked: only --engine emr needs it'),
    ),
  ];
}

async function s3Groups(settings: Config['settings'], target?: Target): Promise<Check[][]> {
  const { s3 } = settings;
  if (target === 'disk' || (target === undefined && !s3)) return [];
  const httpfs = async (): Promise<Finding> => await httpfsFinding(settings);
  const bucket = (): Finding =>
    problem('no bucket is set', 'Set S3_BUCKET in .env or the environment.');
  const { s3Checks } = await import('../doctor/s3.ts');
  return [
    s3 ? s3Checks(s3) : [{ id: 's3-bucket', title: 'S3 bucket', run: bucket }],
    [{ id: 'httpfs', title: 'DuckDB httpfs', run: httpfs }],
  ];
}

function settingsFinding({ settings, datasets }: Config): Finding {
  const { target, datasetsFile, engine } = settings;
  const known =
    datasets.length === 0
      ? `no datasets in ${datasetsFile}, so only a URL or a file can be ingested`
      : `${datasets.length === 1 ? '1 dataset' : `${datasets.length} datasets`} in ${datasetsFile}`;
  return ok(`target ${target}, engine ${engine}, ${known}`);
}

async function runAll(groups: readonly Check[][], signal: AbortSignal): Promise<CheckResult[]> {
  // All of them end what they began.
  const ended = await Promise.allSettled(groups.map((group) => runGroup(group, signal)));
  return ended.flatMap((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

const MARKS = { ok: 'ok', problem: 'PROBLEM', unknown: 'cannot tell' } as const;
const MARK_WIDTH = Math.max(...Object.values(MARKS).map((mark) => mark.length));

/** A line a check, and a problem's fix below it. */
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
