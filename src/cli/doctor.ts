import type { EmrSettings, Settings, SparkSettings } from '../config/settings.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import type { Target } from '../model/run.ts';
import { print, type CliContext } from './context.ts';
import { runGroup, type Check, type CheckResult } from './doctor/check.ts';
import { diskCheck } from './doctor/disk.ts';
import { httpfsCheck } from './doctor/httpfs.ts';
import { nodeCheck } from './doctor/node.ts';
import { engineChecks } from './doctor/programs.ts';
import { missingBucketCheck, s3Checks } from './doctor/s3.ts';
import { settingsCheck, tryConfig, type LoadedConfig } from './doctor/settings.ts';
import { temporalCheck } from './doctor/temporal.ts';
import { doctorText } from './doctor/text.ts';
import { interruptible } from './interrupts.ts';

/** The JSON of `longhaul doctor`. */
export interface DoctorReport {
  checks: CheckResult[];
  /** No check has a problem. */
  ok: boolean;
}

/** Problems are the result, and not an error on the way; the exit code says it too. */
export async function doctor(
  context: CliContext,
  flags: { target?: Target; json?: boolean },
): Promise<void> {
  const groups = groupsOf(tryConfig(context), flags.target);
  const checks = await interruptible(async (signal) => await runAll(groups, signal));
  const ok = checks.every(({ status }) => status !== 'problem');
  if (!ok) context.setExitCode(exitCodeOf('CONFIG_INVALID'));
  const report: DoctorReport = { checks, ok };
  await print(context, flags, report, () => doctorText(checks));
}

/** Groups go side by side; the checks of one build on each other. */
function groupsOf(loaded: LoadedConfig, target?: Target): Check[][] {
  const general = [[nodeCheck(process.versions.node)], [settingsCheck(loaded)]];
  const ofEngine = (spark?: SparkSettings, emr?: EmrSettings): Check[][] =>
    engineChecks(spark, emr).map((each) => [each]);
  if ('error' in loaded) return [...general, ...ofEngine()];
  const { config } = loaded;
  const { engine, spark, emr } = config.settings;
  const engines = ofEngine(
    engine === 'spark' ? spark : undefined,
    engine === 'emr' ? emr : undefined,
  );
  const here = [[temporalCheck(config)], [diskCheck(config.settings.dataDir)]];
  return [...general, ...here, ...s3Groups(config.settings, target), ...engines];
}

function s3Groups(settings: Settings, target?: Target): Check[][] {
  const { s3 } = settings;
  if (target === 'disk' || (target === undefined && !s3)) return [];
  return [s3 ? s3Checks(s3) : [missingBucketCheck()], [httpfsCheck(settings)]];
}

async function runAll(
  groups: readonly (readonly Check[])[],
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const ended = await Promise.allSettled(groups.map((group) => runGroup(group, signal)));
  if (signal.aborted) {
    const hint = 'Nothing was changed; run the command again.';
    throw new LonghaulError('CANCELLED', 'The look was cancelled.', { hint });
  }
  return ended.flatMap((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
