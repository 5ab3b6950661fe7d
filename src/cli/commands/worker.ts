import { Command } from 'commander';
import type { Config } from '../../config/load-config.ts';
import { LonghaulError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { examples } from './options.ts';

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
  const config = context.loadConfig();
  const { settings } = config;
  const { address, namespace } = settings.temporal;
  if (address === undefined) {
    throw new LonghaulError('EMBEDDED_NOT_RUNNING', 'No Temporal server is configured.', {
      hint: 'Set TEMPORAL_ADDRESS; the embedded server (`longhaul up`) brings its own worker.',
    });
  }
  const { interruptible } = await import('../interrupts.ts');
  const { serveWorker } = await import('../../workers/serve-worker.ts');
  const { loggerOf } = await import('../../workers/telemetry.ts');
  const write = (line: string): void => context.note(line.trimEnd());
  const logger = loggerOf(settings, context.interactive ? 'text' : 'json', write);
  await interruptible(async (signal) => {
    if (!(await prepare(context, config))) {
      logger.warn('The search attributes could not be registered: runs go without them.');
    }
    await serveWorker({ settings, address, namespace, logger, signal });
  });
}

/**
 * Looks whether the namespace is there and open to this worker, and adds what runs want of it.
 * @returns false where the search attributes are neither there nor allowed.
 */
async function prepare(context: CliContext, config: Config): Promise<boolean> {
  const { registerSearchAttributes } = await import('../search-attributes.ts');
  const { openTemporal } = await import('../connection.ts');
  const { fromTemporal } = await import('../failures.ts');
  const link = await openTemporal(context, config);
  try {
    const { client, namespace } = link;
    await client.workflowService.describeNamespace({ namespace });
    return await registerSearchAttributes(link);
  } catch (error) {
    throw fromTemporal(error);
  } finally {
    await link.close();
  }
}
