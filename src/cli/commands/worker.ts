import { Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import { LonghaulError } from '../../model/errors.ts';
import { SEARCH_ATTRIBUTE_TYPES } from '../../model/run.ts';
import { examples, interruptible, type CliContext } from '../command.ts';

export function workerCommand(context: CliContext): Command {
  const command = new Command('worker')
    .summary('run a worker for the configured Temporal')
    .description(
      'Runs workflows and activities for the Temporal server of TEMPORAL_ADDRESS or TEMPORAL_PROFILE until ' +
        'Ctrl-C, which gives ' +
        'work under way time to write its checkpoint; a second one ends it at once. WORKER_HEALTH_ADDRESS serves ' +
        '/livez and /readyz, METRICS_ADDRESS Prometheus metrics. The embedded server has its own worker.',
    )
    .action(async () => await work(context));
  return examples(command, ['worker']);
}

async function work(context: CliContext): Promise<void> {
  const { settings } = context.loadConfig();
  const { address, namespace } = settings.temporal;
  if (address === undefined) {
    throw new LonghaulError('EMBEDDED_NOT_RUNNING', 'No Temporal server is configured.', {
      hint: 'Set TEMPORAL_ADDRESS; the embedded server (`longhaul up`) brings its own worker.',
    });
  }
  const { serveWorker } = await import('../../workers/serve-worker.ts');
  const { createLogger } = await import('../../workers/logger.ts');
  const { fromTemporal } = await import('../failures.ts');
  const write = (line: string): void => context.note(line.trimEnd());
  const logger = createLogger(settings, context.interactive ? 'text' : 'json', write);
  await interruptible(async (signal) => {
    if (!(await prepare(settings))) {
      logger.warn('The search attributes could not be registered: runs go without them.');
    }
    await serveWorker({ settings, address, namespace, logger, signal }).catch((error: unknown) => {
      throw fromTemporal(error);
    });
  });
}

/**
 * Checks that this worker may use the namespace, and adds the search attributes of runs if they are missing.
 * @returns false if the server does not permit to add missing search attributes (Temporal Cloud has its own way).
 */
async function prepare(settings: Settings): Promise<boolean> {
  const { linkConfigured } = await import('../temporal-link.ts');
  const { fromTemporal } = await import('../failures.ts');
  const link = await linkConfigured(settings);
  const { client, namespace, hasSearchAttributes } = link;
  try {
    await client.workflowService.describeNamespace({ namespace });
    if (hasSearchAttributes) return true;
    const searchAttributes = SEARCH_ATTRIBUTE_TYPES;
    const { operatorService } = client.connection;
    return await operatorService.addSearchAttributes({ namespace, searchAttributes }).then(
      () => true,
      () => false,
    );
  } catch (error) {
    throw fromTemporal(error);
  } finally {
    await link.close();
  }
}

/** `joinEmbedded` starts this command in a process of its own. Users do not run it. */
export function hostCommand(context: CliContext): Command {
  return new Command('__host').action(async () => await host(context));
}

async function host(context: CliContext): Promise<void> {
  const { settings, searchPath, runtimeDir, fingerprints } = context.loadConfig();
  const { runHost } = await import('../../embedded/host.ts');
  await runHost({
    stateDir: settings.stateDir,
    version: context.version,
    settings: fingerprints,
    runtimeDir,
    temporal: { cli: settings.temporalCli, searchPath },
    runWorker: async (target) => {
      const { runWorker } = await import('../../workers/run-worker.ts');
      const { createLogger } = await import('../../workers/logger.ts');
      const { installTelemetry } = await import('../../workers/telemetry.ts');
      const logger = createLogger(settings, 'text', (line) => process.stdout.write(line));
      installTelemetry(settings, logger);
      await runWorker({ settings, ...target });
    },
  });
}
