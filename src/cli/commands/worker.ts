import { Command } from 'commander';
import { LonghaulError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { examples } from './options.ts';

export function workerCommand(context: CliContext): Command {
  const command = new Command('worker')
    .summary('run a worker for the configured Temporal')
    .description(
      'Runs workflows and activities for the Temporal server at TEMPORAL_ADDRESS until Ctrl-C, which gives ' +
        'work under way time to write its checkpoint. The embedded server has its own worker.',
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
  const { interruptible } = await import('../interrupts.ts');
  const { registerSearchAttributes } = await import('../search-attributes.ts');
  const { openTemporal } = await import('../connection.ts');
  const { runWorker } = await import('../../workers/run-worker.ts');
  await interruptible(async (signal) => {
    const link = await openTemporal(context, settings);
    const registered = await registerSearchAttributes(link);
    await link.close();
    if (!registered) {
      context.note('The search attributes could not be registered: runs go without them.');
    }
    signal.addEventListener('abort', () => {
      context.note('Stopping: work under way writes its checkpoint …');
    });
    const ready = (): void => context.note(`Working for ${address}, namespace ${namespace}.`);
    await runWorker({ settings, address, namespace, signal, ready });
  });
}
