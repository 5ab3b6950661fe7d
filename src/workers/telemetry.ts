import { Runtime, type Logger } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { LonghaulError } from '../model/errors.ts';
import { createLogger } from './logger.ts';

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
