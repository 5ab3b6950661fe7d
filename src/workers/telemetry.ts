import { Runtime, type Logger, type ActivityInterceptors } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { createLogger } from './logger.ts';
import type { Context } from '@temporalio/activity';

/** Shorter secrets occur in ordinary text, so hiding them would damage every line. */
const MIN_SECRET_LENGTH = 4;

/** The logger of a worker's process. @param defaultFormat format if LOG_FORMAT is not set. */
export function loggerOf(
  { log, temporal }: Settings,
  defaultFormat: 'json' | 'text',
  write: (line: string) => void,
): Logger {
  const secrets = [temporal.apiKey ?? ''].filter(({ length }) => length >= MIN_SECRET_LENGTH);
  return createLogger({ ...log, format: log.format ?? defaultFormat, secrets, write });
}

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

/** The dataset and source of an activity, for its logs and metrics. A missing field means that it has none. */
interface Subject {
  dataset?: string;
  source?: string;
  ingestDate?: string;
}

/**
 * Adds an activity's dataset and source to its logs and metrics, and logs its end.
 * @param onDone gets the name of each activity that has ended well.
 */
export function activityTelemetry(
  { info, log }: Context,
  onDone: (activity: string) => void,
): ActivityInterceptors {
  let subject: Subject = {};
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

/** All inputs have a dataset or its name, and may have a source. Only ids and names count: an address may be long. */
function subjectOf(input: unknown): Subject {
  if (typeof input !== 'object' || input === null) return {};
  const { dataset, source, ingestDate } = input as Record<string, unknown>;
  const subject: Subject = {};
  const name = textAt(dataset, 'name') ?? (typeof dataset === 'string' ? dataset : undefined);
  const id = textAt(source, 'id');
  if (name !== undefined) subject.dataset = name;
  if (id !== undefined) subject.source = id;
  if (typeof ingestDate === 'string') subject.ingestDate = ingestDate;
  return subject;
}

function textAt(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'string' ? found : undefined;
}
