import { Command } from 'commander';
import type { CliContext } from '../context.ts';

/** What `joinEmbedded` starts in a process of its own; not for people. */
export function hostCommand(context: CliContext): Command {
  return new Command('__host').action(async () => await host(context));
}

/** The embedded server and worker of a state folder, in this process, until no command uses them. */
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
      const { installTelemetry, loggerOf } = await import('../../workers/telemetry.ts');
      const logger = loggerOf(settings, 'text', (line) => process.stdout.write(line));
      installTelemetry(settings, logger);
      await runWorker({ settings, ...target });
    },
  });
}
