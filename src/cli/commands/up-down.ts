import { Command } from 'commander';
import { joinEmbedded, type EmbeddedServer } from '../../embedded/join.ts';
import { pinEmbedded, stopEmbedded, type StopResult } from '../../embedded/host-link.ts';
import { LonghaulError } from '../../model/errors.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { joinOptions, lakeOf } from '../temporal.ts';

export function upCommand(context: CliContext): Command {
  const command = new Command('up')
    .summary('run Temporal, its Web UI and a worker on this machine')
    .description(
      'Keeps the embedded Temporal server, its Web UI and a worker running until Ctrl-C, or, with ' +
        '--background, until `longhaul down`, which ends both. A host that is killed is started again. Its history of 90 days lies in STATE_DIR.',
    )
    .option('--background', 'leave it running and return')
    .action(async (flags: Flags & { background?: boolean }) => {
      await up(context, flags);
    });
  return examples(command, ['up', 'up --background']);
}

export function downCommand(context: CliContext): Command {
  const command = new Command('down')
    .summary('stop what `up` keeps running')
    .description(
      'Stops the embedded server as soon as no command uses it; `longhaul up`, in the foreground too, ends. Runs ' +
        'under way go on when it starts again.',
    )
    .option('--force', 'stop it at once, even under commands that use it')
    .action(async (flags: Flags & { force?: boolean }) => {
      await down(context, flags);
    });
  return examples(command, ['down', 'down --force']);
}

async function up(
  context: CliContext,
  { background = false, json }: Flags & { background?: boolean },
): Promise<void> {
  const { settings, fingerprints } = context.loadConfig();
  if (settings.temporal.address !== undefined) {
    const message = `Temporal is configured, at ${settings.temporal.address}: no embedded server is needed.`;
    const hint =
      '`longhaul worker` runs a worker for it; remove TEMPORAL_ADDRESS or TEMPORAL_PROFILE to use the embedded one.';
    throw new LonghaulError('USAGE', message, { hint });
  }
  await interruptible(async (signal) => {
    let lastNote = '';
    const say = (note: string): void => {
      // When the host stops, its last note and the reason that it gives are the same text.
      if (note !== lastNote) context.note(note);
      lastNote = note;
    };
    const { webUiOf } = await import('../temporal-link.ts');
    const join = joinOptions(context, settings, fingerprints);
    const server = await joinEmbedded({ ...join, isUp: !background, onNote: say, signal });
    try {
      if (background) await pinEmbedded(settings.stateDir);
      const { address, namespace } = server;
      const uiUrl = webUiOf(server);
      const { queue: taskQueue } = await lakeOf(settings);
      const value = { status: 'running', address, namespace, taskQueue, uiUrl, background };
      await print(context, { json }, value, () =>
        [
          `Temporal Web UI: ${uiUrl}`,
          `Temporal server: ${address}, namespace ${namespace}, task queue ${taskQueue}`,
          background
            ? 'It stays until `longhaul down`.'
            : 'It stays until Ctrl-C or `longhaul down`.',
        ].join('\n'),
      );
      if (!background) say(await untilStopped(server, signal));
    } finally {
      await server.leave();
    }
  });
}

async function untilStopped(server: EmbeddedServer, signal: AbortSignal): Promise<string> {
  const interrupted = new Promise<string>((resolve) => {
    const stop = (): void => resolve('Stopping …');
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  // A pending promise alone does not keep a Node process alive.
  const awake = setInterval(() => undefined, 60_000);
  try {
    return await Promise.race([server.stopped(), interrupted]);
  } finally {
    clearInterval(awake);
  }
}

async function down(
  context: CliContext,
  { force = false, json }: Flags & { force?: boolean },
): Promise<void> {
  const { settings } = context.loadConfig();
  const stopped = await stopEmbedded(settings.stateDir, { force });
  await print(context, { json }, stopped, () => stopText(stopped));
}

function stopText({ outcome, members, ups }: StopResult): string {
  const ended =
    ups.length === 0 ? '' : ` \`longhaul up\` (process ${ups.join(', ')}) ends with it.`;
  switch (outcome) {
    case 'not-running':
      return 'No embedded server is running.';
    case 'stopped':
      return `Stopped.${ended}`;
    case 'stops-later':
      return `It stops when the commands that use it end (process ${members.join(', ')}); --force stops it now.${ended}`;
  }
}
