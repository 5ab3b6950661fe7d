import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { Command } from 'commander';
import type { DatasetSpec } from '../../model/dataset.ts';
import { examples, positiveCount, print, type CliContext, type Flags } from '../command.ts';
import type { RunRef } from '../follow.ts';
import type { TemporalLink } from '../temporal-link.ts';
import { withTemporal } from '../temporal.ts';
import { durationText, localZone, momentText, tableText } from '../text.ts';

export function runsCommand(context: CliContext): Command {
  const command = new Command('runs')
    .summary('list the runs')
    .description('Lists the runs that Temporal remembers, newest first. Starts no worker.')
    .option('--limit <count>', 'how many', positiveCount, 20)
    .action(async (flags: Flags & { limit: number }) => {
      await withTemporal(context, { worker: false }, async ({ client }) => {
        const runs = await listRuns(client, flags.limit);
        const { datasets } = context.loadConfig();
        await print(context, flags, { runs }, () => runsText(runs, datasets));
      });
    });
  return examples(command, ['runs', 'runs --limit 100 --json']);
}

type RunSummary = Awaited<ReturnType<typeof listRuns>>[number];

async function listRuns(client: Client, limit: number) {
  const runs = [];
  const query = "WorkflowType = 'ingestDataset'";
  for await (const run of client.workflow.list({ query, pageSize: limit })) {
    const { workflowId, runId, status, startTime, closeTime } = run;
    const startedAt = startTime.toISOString();
    const durationMs = closeTime && closeTime.getTime() - startTime.getTime();
    runs.push({ workflowId, runId, status: status.name as string, startedAt, durationMs });
    if (runs.length >= limit) break;
  }
  return runs;
}

export function runsText(runs: readonly RunSummary[], datasets: readonly DatasetSpec[]): string {
  if (runs.length === 0) return 'No runs yet: `longhaul ingest <dataset>` starts one.';
  const rows = runs.map(({ workflowId, runId, status, startedAt, durationMs }) => [
    workflowId,
    status.toLowerCase(),
    momentText(new Date(startedAt), zoneOf(datasets, workflowId)),
    durationMs === undefined ? '' : durationText(durationMs),
    runId,
  ]);
  return tableText(['run', 'status', 'started', 'took', 'run id'], rows, [3]);
}

/**
 * The time zone for the times of a dataset: its own, or this machine's if datasets.yaml does not have the dataset.
 * @param of its name, or the id of a run: `ingest/<dataset>/<date>` or `scheduled/<dataset>-<time>`.
 */
export function zoneOf(datasets: readonly DatasetSpec[], of: string): string {
  const [, dataset = of] = /^(?:ingest|scheduled)\/(.*)[/-]\d{4}-\d\d-\d\d/.exec(of) ?? [];
  return datasets.find(({ name }) => name === dataset)?.timeZone ?? localZone();
}

export function cancelCommand(context: CliContext): Command {
  const command = new Command('cancel')
    .summary('cancel a run')
    .description(
      'Cancels a run and waits until a worker has cleaned up; it starts none. Nothing of the run is published; what it ' +
        'downloaded is kept for the next run of the day.',
    )
    .argument('<run>', 'a run id, a workflow id, or <dataset>/<date>')
    .option('--discard', 'throw away what it downloaded')
    .action(async (text: string, flags: Flags & { discard?: boolean }) => {
      const { cancelRun, cancelText, findRun, handleOf } = await import('../follow.ts');
      await withTemporal(context, { worker: false }, async (link, signal) => {
        const run = await findRun(link.client, text);
        // Each call reads the link's client, because a reconnection replaces it.
        const handle = () => handleOf(link.client, run);
        const statusOf = async (): Promise<string> => (await handle().describe()).status.name;
        const hadEnded = (await statusOf()) !== 'RUNNING';
        if (!hadEnded) {
          await cancelRun(handle(), flags);
          context.note(cancelText(flags));
          await untilEnded(context, link, run, signal);
        }
        const status = await statusOf();
        await print(context, flags, { ...run, status }, () => {
          if (status !== 'RUNNING') return `The run ${hadEnded ? 'had' : 'has'} ended: ${status}.`;
          return `The run is cancelled. No worker runs: it ends, and is cleaned up, as soon as one does (${howToWork(link)}).`;
        });
      });
    });
  return examples(command, ['cancel denver-311/2026-11-23']);
}

export function howToWork({ isEmbedded }: TemporalLink): string {
  return isEmbedded ? '`longhaul up`, or the next command that loads' : '`longhaul worker`';
}

const WORKER_LOOK_MS = 1000;

/** Waits until the run has ended, or no worker is there to end it. */
async function untilEnded(
  context: CliContext,
  link: TemporalLink,
  run: RunRef,
  signal: AbortSignal,
): Promise<void> {
  const { awaitRun, handleOf } = await import('../follow.ts');
  const stop = new AbortController();
  const waiting = AbortSignal.any([signal, stop.signal]);
  const ended = awaitRun(link, run, { signal: waiting, foreign: true, onNote: context.note })
    .catch((error: unknown) => {
      // The error of the run is ignored, because the caller reads the run's status.
      if (signal.aborted) throw error;
    })
    .finally(() => stop.abort());
  const { taskQueue } = await handleOf(link.client, run).describe();
  while (!waiting.aborted) {
    if (!(await link.hasWorker(taskQueue))) stop.abort();
    await sleep(WORKER_LOOK_MS, undefined, { signal: waiting }).catch(() => undefined);
  }
  await ended;
}
