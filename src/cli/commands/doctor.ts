import { Command } from 'commander';
import type { Config } from '../../config/load-config.ts';
import { exitCodeOf } from '../../model/errors.ts';
import { lakeText } from '../../model/lake-address.ts';
import { printable } from '../../model/names.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import {
  ok,
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
      // Problems are the result, and not an error on the way; the exit code says it too.
      const ok = checks.every(({ status }) => status !== 'problem');
      if (!ok) context.setExitCode(exitCodeOf('CONFIG_INVALID'));
      const report: DoctorReport = { checks, ok };
      await print(context, flags, report, () => doctorText(checks));
    });
  return examples(command, ['doctor', 'doctor --lake s3://my-lake --json']);
}

/** Groups go side by side; the checks of one build on each other. */
async function groupsOf(context: CliContext): Promise<Check[][]> {
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
  const { configuredTemporal, embeddedTemporal, emrFinding, serverlessFinding } =
    await import('../doctor/services.ts');
  return [
    ...general,
    alone('temporal', 'Temporal', async () =>
      settings.temporal.address === undefined
        ? await embeddedTemporal(config)
        : await configuredTemporal(settings),
    ),
    alone('disk', 'Disk', async () => await diskFinding(settings)),
    ...(await s3Groups(settings)),
    alone('java', 'Java', async () => await javaFinding(settings)),
    alone('spark', 'Spark', async () => await sparkFinding(settings)),
    alone('emr', 'EMR', async (signal) => {
      if (settings.engine === 'emr') return await emrFinding(settings, signal);
      if (settings.engine === 'emr-serverless') return await serverlessFinding(settings, signal);
      return unknown('not checked: only the engines emr and emr-serverless need it');
    }),
  ];
}

function alone(id: string, title: string, run: Check['run']): Check[] {
  return [{ id, title, run }];
}

async function s3Groups(settings: Config['settings']): Promise<Check[][]> {
  const { lake, glueDatabase } = settings;
  if (lake.kind === 'disk') return [];
  const httpfs = async (): Promise<Finding> => await httpfsFinding(settings);
  const { s3Checks } = await import('../doctor/s3.ts');
  const { glueFinding } = await import('../doctor/services.ts');
  return [
    s3Checks(lake),
    alone('httpfs', 'DuckDB httpfs', httpfs),
    ...(glueDatabase === undefined
      ? []
      : [alone('glue', 'AWS Glue', async (signal) => await glueFinding(glueDatabase, signal))]),
  ];
}

function settingsFinding({ settings, datasets }: Config): Finding {
  const { lake, datasetsFile, engine } = settings;
  const known =
    datasets.length === 0
      ? `no datasets in ${datasetsFile}, so only a URL or a file can be ingested`
      : `${datasets.length === 1 ? '1 dataset' : `${datasets.length} datasets`} in ${datasetsFile}`;
  return ok(`lake ${lakeText(lake)}, engine ${engine}, ${known}`);
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
