import type { Config } from '../config/load-config.ts';
import { shownAddress } from '../model/addresses.ts';
import { datedDataset } from '../model/dated-address.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import type { IngestInput, IngestResult, RunError } from '../model/run.ts';
import type { Work } from '../config/fingerprints.ts';
import { assertLasting, openTemporal } from './connection.ts';
import { print, type CliContext } from './context.ts';
import { fromTemporal } from './failures.ts';
import { cancelText, followRun, handleOf } from './follow.ts';
import { unlessDiskIsFull } from './full-disk.ts';
import { progressViews, type ProgressViews } from './progress-view.ts';
import { asLonghaulError, errorObject, errorText } from './render/error.ts';
import { progressTable, resultText, type RunReport } from './render/result.ts';
import { readProgress } from './run-state.ts';
import { isHandInput } from '../model/run-input.ts';
import { satisfies, startRun, type StartedRun } from '../runs/start-run.ts';
import type { TemporalLink } from './temporal-link.ts';

/** What a command asks of a run; the settings bring the rest of its input. */
export type RunRequest = Pick<
  IngestInput,
  'dataset' | 'ingestDate' | 'mode' | 'engine' | 'target' | 'again' | 'accept' | 'retry' | 'asIf'
>;

export interface RunOptions {
  json?: boolean;
  detach?: boolean;
  /** Ctrl-C throws away what was downloaded. */
  discard?: boolean;
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
  const { settings, datasets } = config;
  assertOnS3(requests);
  if (options.detach) await assertLasting(settings);
  await unlessDiskIsFull(settings, async (signal) => {
    const link = await openTemporal(context, config, { work: requests.map(workOf), signal });
    try {
      if (link.webUi !== undefined) context.note(`Temporal Web UI: ${link.webUi}`);
      if (!link.hasSearchAttributes) context.note(NO_ATTRIBUTES);
      const views = await progressViews(context);
      const { discard } = options;
      const session = { context, link, settings, datasets, signal, views, discard };
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

function workOf({ target, engine, mode }: RunRequest): Work {
  return mode === 'land' ? { target } : { target, engine };
}

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
  /** Of datasets.yaml. */
  datasets: Config['datasets'];
  signal: AbortSignal;
  views: ProgressViews;
  discard: boolean | undefined;
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
  const { context, signal } = session;
  const outcomes: (RunOutcome | undefined)[] = requests.map(() => undefined);
  const queue = [...requests.entries()];
  const take = async (): Promise<void> => {
    for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) {
      outcomes[next[0]] = await runOneOfSeveral(session, next[1], options);
    }
  };
  const { concurrency = requests.length } = options;
  await Promise.all(Array.from({ length: Math.min(concurrency, requests.length) }, take));
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
    const { runId, workflowId } = await start(link, inputOf(request, link, settings));
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
  const wanted = { ...inputOf(request, link, settings), followed: true };
  let run = await start(link, wanted, signal);
  while (run.isEnding || !satisfies(run.input, wanted)) {
    const { mode = 'ingest', target = 'disk' } = run.input;
    const what = run.isEnding ? 'cancelled' : `${mode}, target ${target}`;
    context.note(`Another run of this day is under way (${what}): waiting for its end.`);
    await follow(session, run, { foreign: true }).catch((error: unknown) => {
      if (signal.aborted) throw error;
    });
    run = await start(link, wanted, signal);
  }
  context.note(`Run ${run.workflowId} (${run.runId})`);
  const result = await follow(session, run, { foreign: false });
  if (!session.datasets.includes(request.dataset)) assertIsOf(request, result);
  return { ...result, runId: run.runId, durationMs: Math.round(performance.now() - startedAt) };
}

/** Starts the run of a dataset and day, or attaches to the one under way. `isEnding`: it is cancelled, and cleans up. */
async function start(
  link: TemporalLink,
  input: IngestInput,
  signal?: AbortSignal,
): Promise<StartedRun & { isEnding: boolean }> {
  try {
    return await link.call(async (client) => {
      const run = await startRun(client, input);
      const { raw } = await handleOf(client, run).describe();
      return { ...run, isEnding: raw.workflowExtendedInfo?.cancelRequested ?? false };
    }, signal);
  } catch (error) {
    throw fromTemporal(error);
  }
}

/** Two files may give a dataset the same name: the one that is published must not be taken for the other. */
function assertIsOf({ dataset, ingestDate }: RunRequest, { status, sources }: IngestResult): void {
  if (status !== 'already-published') return;
  const [asked] = datedDataset(dataset, ingestDate).sources;
  const [found] = sources;
  if (!asked || !found || found.url === shownAddress(asked.address)) return;
  throw new LonghaulError(
    'USAGE',
    `${dataset.name} is published for ${ingestDate} already, from ${found.url}.`,
    { hint: 'Give this one a --name of its own, or publish it as a new revision with --again.' },
  );
}

async function follow(session: Session, run: StartedRun, { foreign }: { foreign: boolean }) {
  const { context, signal, link, views, discard } = session;
  const { input } = run;
  const view = views.open(isHandInput(input) ? input.dataset : input.dataset.name);
  try {
    return await followRun(link, run, {
      foreign,
      signal,
      onState: (state) => view.show(state),
      onNote: (note) => views.note(note),
      discard,
      onCancel: () => {
        if (!foreign) views.note(`${cancelText({ discard })} Ctrl-C again leaves at once.`);
      },
    });
  } catch (error) {
    view.close();
    const progress = foreign ? undefined : await readProgress(handleOf(link.client, run));
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
  };
}
