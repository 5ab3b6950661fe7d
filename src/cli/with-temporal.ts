import { openTemporal, type TemporalLink } from './connection.ts';
import type { CliContext } from './context.ts';
import { fromTemporal } from './failures.ts';
import { interruptible } from './interrupts.ts';

/** A Temporal for as long as `use` needs it; its errors become those of the catalogue. */
export async function withTemporal(
  context: CliContext,
  use: (link: TemporalLink, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { settings } = context.loadConfig();
  await interruptible(async (signal) => {
    const link = await openTemporal(context, settings, signal);
    try {
      await use(link, signal);
    } catch (error) {
      throw fromTemporal(error);
    } finally {
      await link.close();
    }
  });
}
