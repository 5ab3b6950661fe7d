import { Runtime, type Logger, type ActivityInterceptors } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import type { SourceTask } from '../model/run.ts';
import type { Context } from '@temporalio/activity';

let isInstalled = false;

/**
 * Installs logs and metrics for Temporal's SDK in this process, before its first connection. Later calls do nothing.
 * @throws LonghaulError CONFIG_INVALID if the worker cannot listen at METRICS_ADDRESS.
 */
export function installTelemetry({ log, worker }: Settings, logger: Logger): void {
  // After the last connection ends, the SDK starts its runtime again with the same options.
  if (isInstalled) return;
  const { metricsAddress } = worker;
  try {
    Runtime.install({
      logger,
      // The program handles signals itself: the second one ends it at once.
      shutdownSignals: [],
      telemetryOptions: {
        logging: {
          forward: {},
          filter: { core: log.level === 'debug' ? 'DEBUG' : 'WARN', other: 'ERROR' },
        },
        ...(metricsAddress === undefined
          ? {}
          : { metrics: { prometheus: { bindAddress: metricsAddress } } }),
      },
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const message = `Metrics cannot be served at METRICS_ADDRESS ${metricsAddress}: ${text}`;
    if (metricsAddress === undefined) throw error;
    throw new LonghaulError('CONFIG_INVALID', message, {}, { cause: error });
  }
  isInstalled = true;
}

/** What an activity works on, for its logs and metrics. Only ids and names: an address may be long. */
type Subject = Record<'dataset' | 'source' | 'ingestDate', string | undefined>;

/**
 * Adds an activity's dataset and source to its logs and metrics, and logs its end.
 * @param onDone gets the name of each activity that has ended well.
 */
export function activityTelemetry(
  { info, log }: Context,
  onDone: (activity: string) => void,
): ActivityInterceptors {
  let subject = subjectOf(undefined);
  return {
    inbound: {
      execute: async (input, next) => {
        subject = subjectOf(input.args[0]);
        const startedAtMs = performance.now();
        log.debug(`${info.activityType} started`);
        const result: unknown = await next(input);
        const seconds = Math.round(performance.now() - startedAtMs) / 1000;
        // The SDK itself logs failures.
        log.info(`${info.activityType} done`, { seconds });
        onDone(info.activityType);
        return result;
      },
    },
    outbound: {
      getLogAttributes: (input, next) => next({ ...input, ...subject }),
      getMetricTags: (input, next) => {
        const { dataset, source } = subject;
        return next({ ...input, ...(dataset && { dataset }), ...(source && { source }) });
      },
    },
  };
}

type Input = Partial<Omit<SourceTask, 'dataset'>> & { dataset?: string | DatasetSpec };

/** An input may have a dataset or its name, and a source. */
function subjectOf(input: unknown): Subject {
  const { dataset, source, ingestDate } = (input ?? {}) as Input;
  const name = typeof dataset === 'object' ? dataset.name : dataset;
  return { dataset: name, source: source?.id, ingestDate };
}
