import type { Config } from '../config/load-config.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import type { IngestInput, RunError } from '../model/run.ts';
import { assertLasting, openTemporal, type TemporalLink } from './connection.ts';
import { print, type CliContext } from './context.ts';
import { followRun, GIVE_UP_AFTER_MS, LINK_NEWS } from './follow.ts';
import { interruptible } from './interrupts.ts';
import { progressViews, type ProgressViews } from './progress-view.ts';
import { asLonghaulError, errorObject, errorText } from './render/error.ts';
import { progressTable, resultText, type RunReport } from './render/result.ts';
import { readProgress } from './run-state.ts';
import { isHandInput } from '../model/run-input.ts';
import { satisfies, type StartedRun } from '../runs/start-run.ts';
import { startRun } from './start.ts';
import { assertReaches } from './worker-lake.ts';

/** What a command asks of a run; the settings bring the rest of its input. */
export type RunRequest = Pick<
  IngestInput,
  'dataset' | 'ingestDate' | 'mode' | 'engine' | 'target' | 'again' | 'accept' | 'retry' | 'asIf'
>;

export interface RunOptions {
  json?: boolean;
  detach?: boolean;
  /** Datasets in work at once; default: the setting. */
  concurrency?: number;
}

/** Runs datasets to their end, a few at once, and prints what became of them. */
export async function runRequests(
  context: CliContext,
  config: Config,
  requests: readonly RunRequest[],
  options: RunOptions,
): Promise<void> {
  const { settings } = config;
  assertOnS3(requests);
  if (options.detach) await assertLasting(settings);
  await interruptible(async (signal) => {
    const link = await openTemporal(context, settings, signal);
    try {
      if (requests.some(({ target }) => target === 's3')) assertReaches(link, config);
      if (link.uiUrl !== undefined) context.note(`Temporal Web UI: ${link.uiUrl}`);
      if (!link.hasSearchAttributes) context.note(NO_ATTRIBUTES);
      const session = { context, link, settings, signal, views: progressViews(context) };
      if (options.detach) await detach(session, requests, options);
      else if (requests.length === 1 && requests[0]) await runOne(session, requests[0], options);
      else await runSeveral(session, requests, options);
    } finally {
      await link.close();
    }
  });
}

const NO_ATTRIBUTES =
  'This namespace has no search attributes of Longhaul: runs go without. `longhaul worker` adds them where it may.';

/** Before anything starts. The worker looks too: a run may come from elsewhere. */
function assertOnS3(requests: readonly RunRequest[]): void {
  const isMisplaced = requests.some(
    ({ engine, mode, target }) => engine === 'emr' && mode !== 'land' && target !== 's3',
  );
  if (!isMisplaced) return;
  throw new LonghaulError(
    'EMR_NEEDS_S3',
    'The engine emr reads and writes S3: the target is disk.',
  );
}

interface Session {
  context: CliContext;
  link: TemporalLink;
  settings: Config['settings'];
  signal: AbortSignal;
  views: ProgressViews;
}

async function runOne(session: Session, request: RunRequest, options: RunOptions): Promise<void> {
  const report = await runToEnd(session, request);
  await print(session.context, options, report, () => resultText(report));
}

type RunOutcome = RunReport | { dataset: string; ingestDate: string; error: RunError };

/** A dataset that fails does not stop the others; Ctrl-C does. */
async function runSeveral(
  session: Session,
  requests: readonly RunRequest[],
  options: RunOptions,
): Promise<void> {
  const { context, signal, settings } = session;
  const outcomes: (RunOutcome | undefined)[] = requests.map(() => undefined);
  const queue = [...requests.entries()];
  const take = async (): Promise<void> => {
    for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) {
      outcomes[next[0]] = await runOneOfSeveral(session, next[1], options);
    }
  };
  const hands = options.concurrency ?? settings.datasetConcurrency;
  await Promise.all(Array.from({ length: Math.min(hands, requests.length) }, take));
  const runs = outcomes.filter((each) => each !== undefined);
  const failed = runs.flatMap((run) => ('error' in run ? [run.error] : []));
  const code = failed[0]?.code ?? (signal.aborted ? 'CANCELLED' : undefined);
  if (code) context.setExitCode(exitCodeOf(code));
  const summary = `${runs.length - failed.length} of ${requests.length} datasets are done.`;
  await print(context, options, { runs }, () => summary);
}

async function runOneOfSeveral(
  session: Session,
  request: RunRequest,
  { json }: RunOptions,
): Promise<RunOutcome> {
  const { context, views } = session;
  const { ingestDate, dataset } = request;
  try {
    const report = await runToEnd(session, request);
    views.clear();
    if (!json) await context.out(`${resultText(report)}\n\n`);
    return report;
  } catch (thrown) {
    const error = asLonghaulError(thrown);
    views.clear();
    if (!json) context.note(`${dataset.name}: ${errorText(error)}`);
    return { dataset: dataset.name, ingestDate, error: errorObject(error) };
  }
}

async function detach(
  { context, link, settings }: Session,
  requests: readonly RunRequest[],
  options: RunOptions,
): Promise<void> {
  const runs: { dataset: string; runId: string; workflowId: string }[] = [];
  for (const request of requests) {
    const { runId, workflowId } = await startRun(link.client, inputOf(request, link, settings));
    const { dataset, ingestDate } = request;
    const run = { dataset: dataset.name, ingestDate, status: 'started', runId, workflowId };
    runs.push(run);
  }
  const [first] = runs;
  const value = runs.length === 1 && first ? first : { runs };
  await print(context, options, value, () =>
    runs.map(({ workflowId, runId }) => `${workflowId} runs: longhaul show ${runId}`).join('\n'),
  );
}

async function runToEnd(session: Session, request: RunRequest): Promise<RunReport> {
  const { context, link, settings, signal } = session;
  const startedAt = performance.now();
  const wanted = inputOf(request, link, settings);
  let run = await startRun(link.client, wanted);
  while (!satisfies(run.input, wanted)) {
    const { mode = 'ingest', target = 'disk' } = run.input;
    context.note(
      `Another run of this day is under way (${mode}, target ${target}): waiting for its end.`,
    );
    await follow(session, run, { foreign: true }).catch((error: unknown) => {
      if (signal.aborted) throw error;
    });
    run = await startRun(link.client, wanted);
  }
  context.note(`Run ${run.workflowId} (${run.runId})`);
  const result = await follow(session, run, { foreign: false });
  return { ...result, runId: run.runId, durationMs: Math.round(performance.now() - startedAt) };
}

async function follow(session: Session, run: StartedRun, { foreign }: { foreign: boolean }) {
  const { context, signal, link, views } = session;
  const { input } = run;
  const view = views.open(isHandInput(input) ? input.dataset : input.dataset.name);
  try {
    return await followRun(run.handle, {
      foreign,
      signal,
      onState: (state) => view.show(state),
      onLink: (news) => context.note(LINK_NEWS[news]),
      giveUpAfterMs: GIVE_UP_AFTER_MS[link.embedded ? 'embedded' : 'configured'],
      onCancel: () => {
        if (!foreign)
          context.note('Cancelling the run and cleaning up; Ctrl-C again leaves at once.');
      },
    });
  } catch (error) {
    view.close();
    const progress = foreign ? undefined : await readProgress(run.handle);
    if (progress) context.note(progressTable(progress));
    throw error instanceof LonghaulError ? withRun(error, run) : error;
  } finally {
    view.close();
  }
}

/** The hint names the run, so that it can be pasted. */
function withRun(error: LonghaulError, { runId }: StartedRun): LonghaulError {
  const { hint } = errorObject(error);
  const details = { ...error.details, hint: hint.replaceAll('<run>', runId) };
  return new LonghaulError(error.code, error.message, details, { cause: error.cause });
}

function inputOf(
  request: RunRequest,
  link: TemporalLink,
  settings: Config['settings'],
): IngestInput {
  return {
    ...request,
    sourceConcurrency: settings.sourceConcurrency,
    heartbeatTimeoutMs: settings.activity.heartbeatTimeoutMs,
    upsertSearchAttributes: link.hasSearchAttributes,
    ...(link.hasSearchAttributes && { upsertRows: true }),
  };
}
