import { openTemporal } from './connection.ts';
import type { CliContext } from './context.ts';
import { runRequests } from './ingest.ts';
import { interruptible } from './interrupts.ts';
import { lakeTarget, ofTarget } from './lake-target.ts';
import { findRun } from './runs.ts';
import { isHandInput } from '../model/run-input.ts';
import { LonghaulError } from '../model/errors.ts';
import { inputOf } from '../runs/start-run.ts';

/** Starts the run's dataset and day again; datasets.yaml may have been mended meanwhile, so its word counts. */
export async function retryRun(
  context: CliContext,
  text: string,
  flags: { json?: boolean; accept?: boolean },
): Promise<void> {
  const config = context.loadConfig();
  await interruptible(async (signal) => {
    // Held while the run goes on, so that the embedded server does not stop in between.
    const link = await openTemporal(context, config.settings, signal);
    try {
      const { workflowId, runId } = await findRun(link.client, text);
      const earlier = await inputOf(link.client, workflowId, runId);
      if (isHandInput(earlier)) throw startedByHand(earlier.dataset);
      const configured = config.datasets.find(({ name }) => name === earlier.dataset.name);
      const request = {
        dataset: configured ?? earlier.dataset,
        ingestDate: earlier.ingestDate,
        mode: earlier.mode,
        engine: earlier.engine,
        ...ofTarget(lakeTarget(config.settings, earlier.target ?? 'disk')),
        again: earlier.again,
        accept: flags.accept ?? earlier.accept,
        retry: true,
      };
      await runRequests(context, config, [request], flags);
    } finally {
      await link.close();
    }
  });
}

/** Its day is in the run that it started or joined, or went on as. */
function startedByHand(dataset: string): LonghaulError {
  const message = 'This run was started by hand with a few words; the day has a run of its own.';
  return new LonghaulError('USAGE', message, {
    hint: `longhaul retry ${dataset}/<date> repeats what failed of that day.`,
  });
}
