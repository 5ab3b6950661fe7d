import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { convertSource, inspectSource, type ConvertResult } from '../conversion/convert-source.ts';
import { convertBatch } from '../conversion/spark/convert-batch.ts';
import type { FailedSource } from '../conversion/spark/job.ts';
import { stageSource } from '../conversion/spark/inputs.ts';
import { tableTypes } from '../iceberg/describe-table.ts';
import { findLanding, landSource, probeSource, type SourceDay } from '../landing/land-source.ts';
import { isRetryable } from '../model/errors.ts';
import type { BatchInput, BatchResult, SourceResult, SourceTask } from '../model/run.ts';
import { toSourceResult } from '../storage/source-results.ts';
import type { LandedTask } from '../storage/staged.ts';
import { verifySource, type ConvertedTask } from '../verification/verify-source.ts';
import type { ActivityDeps } from './deps.ts';
import { toRunError } from './failure.ts';
import { countLedger } from './metrics.ts';
import { runSourceActivity, type Work } from './work.ts';

/** Activities for one source of one day: from the publisher to the raw zone, to Parquet, and to its ledger. */
export function createSourceActivities(deps: ActivityDeps) {
  return {
    probeSource: async (input: ProbeInput) =>
      await runSourceActivity(deps, input, 'probe', async ({ signal }) =>
        probeSource(deps, input, signal),
      ),

    landSource: async (input: LandInput) =>
      await runSourceActivity(deps, input, 'land', async (work) => landSource(deps, input, work)),

    findLanding: async (input: SourceTask) =>
      await runSourceActivity(deps, input, 'land', async () => findLanding(deps, input)),

    inspectSource: async (input: LandedTask) =>
      await runSourceActivity(deps, input, 'inspect', async (work) =>
        inspectSource(deps, input, work, await tableTypes(deps.converted, input.dataset)),
      ),

    convertSource: async (input: LandedTask): Promise<ConvertResult> =>
      await runSourceActivity(deps, input, 'convert', async (work) =>
        convertSource(deps, input, work),
      ),

    stageSource: async (input: LandedTask) =>
      await runSourceActivity(deps, input, 'convert', async (work) =>
        stageSource(deps, input, work),
      ),

    /** If a retry may help a source, the activity fails, and Temporal retries it for sources without parts. */
    convertBatch: async (input: BatchInput): Promise<BatchResult> =>
      await runSourceActivity(deps, input, 'convert', async (work) => {
        const failed =
          input.engine === 'emr-serverless'
            ? await convertOnServerless(deps, input, work)
            : await convertBatch(deps, input, work);
        const passing = failed.find(({ error }) => isRetryable(error.code));
        const failure = passing && work.failureOf(passing.error);
        if (failure instanceof ApplicationFailure && failure.nonRetryable !== true) throw failure;
        return { failed: failed.map(({ id, error }) => toRunError(error, id)) };
      }),

    verifySource: async (input: ConvertedTask): Promise<SourceResult> =>
      await runSourceActivity(deps, input, 'verify', async (work) => {
        const entry = await verifySource(deps, input, work);
        countLedger(entry);
        return toSourceResult(deps, entry);
      }),
  };
}

/** Loads the AWS SDK only when it is needed, because loading takes a while. */
async function convertOnServerless(
  { raw, converted, emr, activity }: ActivityDeps,
  input: BatchInput,
  work: Work,
): Promise<FailedSource[]> {
  const { convertServerless } = await import('../emr/serverless.ts');
  const isUnwanted = (): boolean => {
    const { cancelRequested, notFound } = Context.current().cancellationDetails ?? {};
    return cancelRequested === true || notFound === true;
  };
  const deps = { raw, converted, emr, retryForMs: activity.retryForMs };
  return await convertServerless(deps, input, { ...work, isUnwanted });
}

export interface ProbeInput extends SourceDay {
  /** See `IngestInput`. */
  followed?: boolean;
}

export interface LandInput extends ProbeInput {
  /** True if the run converts the source next: its Parquet needs room too. */
  thenConverted?: boolean;
}
