import pMap, { pMapSkip } from 'p-map';
import type { Config } from '../config/load-config.ts';
import { findEmbedded } from '../embedded/host-link.ts';
import { shownAddress } from '../model/addresses.ts';
import { datedDataset } from '../model/dates.ts';
import { exitCodeOf, LonghaulError, type ErrorCode } from '../model/errors.ts';
import type { DayInput, IngestResult, RunError } from '../model/run.ts';
import { startOrJoin, startRun, type StartedRun } from '../runs/start-run.ts';
import { print, type CliContext } from './command.ts';
import { asLonghaulError, errorObject, errorText } from './errors.ts';
import { fromTemporal } from './failures.ts';
import { cancelText, followRun, handleOf } from './follow.ts';
import { progressTable, resultText, type RunReport } from './ledger.ts';
import { progressViews, type ProgressViews } from './progress.ts';
import { readProgress } from './run-state.ts';
import type { TemporalLink } from './temporal-link.ts';
import { lakeQueue, withLink } from './temporal.ts';

/** What a command wants to load. The settings add the rest of the run's input. */
export type RunRequest = DayInput & Required<Pick<DayInput, 'spec' | 'mode' | 'engine'>>;

interface RunOptions {
  json?: boolean;
  detach?: boolean;
  /** True if Ctrl-C deletes what the run downloaded. */
  discard?: boolean;
  /** Datasets that run at the same time. Default: all. */
  concurrency?: number;
}

interface Session {
  context: CliContext;
  config: Config;
  link: TemporalLink;
  queue: string;
  signal: AbortSignal;
  views: ProgressViews;
  options: RunOptions;
}

/** Runs datasets to their end, a few at the same time, and prints their results. */
export async function runRequests(
  context: CliContext,
  config: Config,
  requests: readonly RunRequest[],
  options: RunOptions,
): Promise<void> {
  const { settings } = config;
  await assertForEmr(settings, requests);
  if (options.detach) await assertLasting(settings);
  const work = requests.flatMap(({ engine, mode }) => (mode === 'land' ? [] : engine));
  await withLink(context, { work }, async (link, signal) => {
    if (link.webUi !== undefined) context.note(`Temporal Web UI: ${link.webUi}`);
    if (!link.hasSearchAttributes) context.note(NO_ATTRIBUTES);
    const queue = await link.call(async (client) => await lakeQueue(client, settings), { signal });
    const views = await progressViews(context);
    const session = { context, config, link, queue, signal, views, options };
    const [only] = requests;
    if (options.detach) await detach(session, requests);
    else if (only && requests.length === 1) {
      const report = await runToEnd(session, only);
      await print(context, options, report, () => resultText(report, context.lakeFlag));
      const code = codeOfPublished(report, only);
      if (code) context.setExitCode(exitCodeOf(code));
    } else await runSeveral(session, requests);
  });
}

const NO_ATTRIBUTES =
  'This namespace has no search attributes of Longhaul: runs go without. `longhaul worker` adds them where it may.';

/** Checks EMR's settings before a run starts. The worker checks too, because a schedule may start a run. */
async function assertForEmr(
  { lake, emr }: Config['settings'],
  requests: readonly RunRequest[],
): Promise<void> {
  const onEmr = requests.find(
    ({ engine, mode }) => (engine ?? '').startsWith('emr') && mode !== 'land',
  )?.engine;
  if (!onEmr) return;
  if (lake.kind === 'disk') {
    const message = `The engine ${onEmr} reads and writes S3: the lake is ${lake.folder}.`;
    throw new LonghaulError('EMR_NEEDS_S3', message);
  }
  const { requestAdditions } = await import('../emr/cluster-request.ts');
  await requestAdditions(emr);
}

/** @throws LonghaulError EMBEDDED_NOT_RUNNING if no server runs on after this command has ended. */
async function assertLasting({ temporal, stateDir }: Config['settings']): Promise<void> {
  if (temporal.address !== undefined) return;
  const running = await findEmbedded(stateDir);
  if (running && (running.pinned || running.members.length + running.ups.length > 0)) return;
  const message =
    'A detached run needs a server that stays: none is running and none is configured.';
  throw new LonghaulError('EMBEDDED_NOT_RUNNING', message);
}

async function detach(session: Session, requests: readonly RunRequest[]): Promise<void> {
  const runs: { dataset: string; runId: string; workflowId: string }[] = [];
  for (const request of requests) {
    const { runId, workflowId } = await start(session, inputOf(session, request));
    const { dataset, ingestDate } = request;
    runs.push({ dataset, ...{ ingestDate, status: 'started' }, runId, workflowId });
  }
  const [first] = runs;
  const value = runs.length === 1 && first ? first : { runs };
  await print(session.context, session.options, value, () =>
    runs.map(({ workflowId, runId }) => `${workflowId} runs: longhaul show ${runId}`).join('\n'),
  );
}

/**
 * The error code of a published run if its cluster may still cost, if its Iceberg table could not be updated, or if its
 * columns changed and datasets.yaml says `schema: report`.
 */
function codeOfPublished(
  { emr, table }: RunReport,
  { spec, accept }: RunRequest,
): ErrorCode | undefined {
  if (emr?.clusterLeft !== undefined) return 'EMR_CLUSTER_LEFT';
  if (table && 'error' in table) return table.error.code;
  const isReported = spec.schema === 'report' && accept !== true && table?.schemaChanges.length;
  return isReported ? 'SCHEMA_CHANGED' : undefined;
}

type RunOutcome = RunReport | { dataset: string; ingestDate: string; error: RunError };

/** A dataset that fails does not stop the others. Ctrl-C stops all. */
async function runSeveral(session: Session, requests: readonly RunRequest[]): Promise<void> {
  const { context, signal, options } = session;
  const runs = await pMap(
    requests,
    async (request) => (signal.aborted ? pMapSkip : await runOneOfSeveral(session, request)),
    { concurrency: options.concurrency ?? requests.length },
  );
  const failed = runs.flatMap((run) => ('error' in run ? [run.error] : []));
  const left = runs.flatMap((run) => {
    const request = requests.find(({ dataset }) => dataset === run.dataset);
    return 'error' in run || !request ? [] : (codeOfPublished(run, request) ?? []);
  });
  const unfinished = signal.aborted ? 'CANCELLED' : undefined;
  const code = failed[0]?.code ?? unfinished ?? left[0];
  if (code) context.setExitCode(exitCodeOf(code));
  const summary = `${runs.length - failed.length} of ${requests.length} datasets are done.`;
  await print(context, options, { runs }, () => summary);
}

async function runOneOfSeveral(session: Session, request: RunRequest): Promise<RunOutcome> {
  const { context, views, options } = session;
  const { ingestDate, dataset } = request;
  try {
    const report = await runToEnd(session, request);
    views.clear();
    if (!options.json) await context.out(`${resultText(report, context.lakeFlag)}\n\n`);
    return report;
  } catch (thrown) {
    const error = asLonghaulError(fromTemporal(thrown));
    views.clear();
    if (!options.json) context.note(`${dataset}: ${errorText(error)}`);
    return { dataset, ingestDate, error: errorObject(error) };
  }
}

async function runToEnd(session: Session, request: RunRequest): Promise<RunReport> {
  const { context, config, signal } = session;
  const startedAt = performance.now();
  const wanted = { ...inputOf(session, request), followed: true };
  const run = await startOrJoin(
    wanted,
    async () => await start(session, wanted),
    async (other) => {
      const { mode = 'ingest', engine = config.settings.engine } = other.input;
      const what = other.isEnding ? 'cancelled' : `${mode}, engine ${engine}`;
      context.note(`Another run of this day is under way (${what}): waiting for its end.`);
      await follow(session, other, true).catch((error: unknown) => {
        if (signal.aborted) throw error;
      });
    },
  );
  context.note(`Run ${run.workflowId} (${run.runId})`);
  const result = await follow(session, run, false);
  if (!config.datasets.includes(request.spec)) assertIsOf(request, result);
  return { ...result, runId: run.runId, durationMs: Math.round(performance.now() - startedAt) };
}

async function start({ link, queue, signal }: Session, input: DayInput): Promise<StartedRun> {
  const { hasSearchAttributes } = link;
  return await link.call(
    async (client) => await startRun(client, input, { queue, hasSearchAttributes }),
    { signal },
  );
}

function inputOf({ config: { settings } }: Session, request: RunRequest): DayInput {
  const { sourceConcurrency, activity } = settings;
  return { ...request, sourceConcurrency, heartbeatTimeoutMs: activity.heartbeatTimeoutMs };
}

/** @param foreign true if another command started the run, and this command only waits for it. */
async function follow(session: Session, run: StartedRun, foreign: boolean): Promise<IngestResult> {
  const { signal, link, views, options } = session;
  const view = views.open(run.input.dataset);
  try {
    return await followRun(link, run, {
      foreign,
      signal,
      onState: (state) => view.show(state),
      onNote: views.note,
      discard: options.discard,
      onCancel: () => {
        if (!foreign) views.note(`${cancelText(options)} Ctrl-C again leaves at once.`);
      },
    });
  } catch (error) {
    view.close();
    const progress = foreign ? undefined : await readProgress(handleOf(link.client, run));
    if (progress) session.context.note(progressTable(progress));
    if (!(error instanceof LonghaulError)) throw error;
    // The hint contains the run's id, so that the user can paste the command.
    const hint = errorObject(error).hint.replaceAll('<run>', run.runId);
    const { code, message, details, cause } = error;
    throw new LonghaulError(code, message, { ...details, hint }, { cause });
  } finally {
    view.close();
  }
}

/** Two files may give a dataset the same name. The user must not take the published one for the other. */
function assertIsOf({ spec, ingestDate }: RunRequest, { status, sources }: IngestResult): void {
  if (status !== 'already-published') return;
  const [asked] = datedDataset(spec, ingestDate).sources;
  const [found] = sources;
  if (!asked || !found || found.url === shownAddress(asked.address)) return;
  throw new LonghaulError(
    'USAGE',
    `${spec.name} is published for ${ingestDate} already, from ${found.url}.`,
    { hint: 'Give this one a --name of its own, or publish it as a new revision with --again.' },
  );
}
