import { setTimeout as sleep } from 'node:timers/promises';
import {
  findEmbedded,
  joinEmbedded,
  pinEmbedded,
  stopEmbedded,
  type StopResult,
} from '../embedded/index.ts';
import { LonghaulError } from '../model/errors.ts';
import { print, type CliContext } from './context.ts';
import { interruptible } from './interrupts.ts';

export async function up(
  context: CliContext,
  { background = false, json }: { background?: boolean; json?: boolean },
): Promise<void> {
  const { settings } = context.loadConfig();
  if (settings.temporal.address !== undefined) {
    const message = `Temporal is configured, at ${settings.temporal.address}: no embedded server is needed.`;
    const hint =
      '`longhaul worker` runs a worker for it; remove TEMPORAL_ADDRESS or TEMPORAL_PROFILE to use the embedded one.';
    throw new LonghaulError('USAGE', message, { hint });
  }
  const { stateDir } = settings;
  await interruptible(async (signal) => {
    const server = await joinEmbedded({
      stateDir,
      host: { entry: context.entry, args: ['__host'] },
      version: context.version,
      onNote: (note) => context.note(note),
      signal,
    });
    try {
      if (background) await pinEmbedded(stateDir);
      const { address, namespace, uiUrl } = server;
      const value = { status: 'running', address, namespace, uiUrl, background };
      await print(context, { json }, value, () =>
        [
          `Temporal Web UI: ${uiUrl}`,
          `Temporal server: ${address}, namespace ${namespace}`,
          background ? 'It stays until `longhaul down`.' : 'It stays until Ctrl-C.',
        ].join('\n'),
      );
      if (!background) await untilStopped(context, stateDir, signal);
    } finally {
      await server.leave();
    }
  });
}

export async function down(
  context: CliContext,
  { force = false, json }: { force?: boolean; json?: boolean },
): Promise<void> {
  const { settings } = context.loadConfig();
  const stopped = await stopEmbedded(settings.stateDir, { force });
  await print(context, { json }, stopped, () => stopText(stopped));
}

function stopText({ outcome, members }: StopResult): string {
  switch (outcome) {
    case 'not-running':
      return 'No embedded server is running.';
    case 'stopped':
      return 'Stopped.';
    case 'stops-later':
      return members.length === 0
        ? 'It is stopping.'
        : `It stops when the commands that use it end (process ${members.join(', ')}); --force stops it now.`;
  }
}

/** Somebody else may stop it, by force. */
const LOOK_INTERVAL_MS = 1000;

async function untilStopped(
  context: CliContext,
  stateDir: string,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted && !(await findEmbedded(stateDir))) {
      context.note('The server was stopped.');
      return;
    }
  }
  context.note('Stopping …');
}
