import { Runtime, type Logger, type ActivityInterceptors } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { createLogger } from './logger.ts';
import type { Context } from '@temporalio/activity';

/** Shorter ones would make holes in every line. */
const MIN_SECRET_LENGTH = 4;

/** The logger of a worker's process. @param defaultFormat where LOG_FORMAT is not set. */
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
 * Logs and metrics of everything in this process that Temporal's SDK does; once, before its first connection.
 * @throws LonghaulError CONFIG_INVALID where nothing can listen at METRICS_ADDRESS.
 */
export function installTelemetry({ log, worker }: Settings, logger: Logger): void {
  // After the last connection's end the SDK starts its runtime anew as it was.
  if (isInstalled) return;
  const { metricsAddress } = worker;
  try {
    Runtime.install({
      logger,
      // Signals are the program's own affair: the second one ends it at once.
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

/** The dataset and source of an activity, for its logs and metrics; absent where it is about none. */
interface Subject {
  dataset?: string;
  source?: string;
  ingestDate?: string;
}

/**
 * Puts what an activity is about on all that it logs and measures, and logs its end.
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
        // The SDK logs a failure itself.
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

/** By the shape that all inputs share: a dataset or its name, a source. Ids and names only: an address may be long. */
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
