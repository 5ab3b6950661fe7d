import { openTemporal, type Needs } from './connection.ts';
import type { CliContext } from './context.ts';
import { fromTemporal } from './failures.ts';
import { unlessDiskIsFull } from './full-disk.ts';
import type { TemporalLink } from './temporal-link.ts';

/**
 * A Temporal for as long as `use` needs it; its errors become those of the catalogue.
 * @param use is done again from its start where the embedded server moved meanwhile.
 */
export async function withTemporal(
  context: CliContext,
  needs: Omit<Needs, 'signal'>,
  use: (link: TemporalLink, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const config = context.loadConfig();
  await unlessDiskIsFull(config.settings, async (signal) => {
    const link = await openTemporal(context, config, { ...needs, signal });
    try {
      await link.call(async () => await use(link, signal), signal);
    } catch (error) {
      throw fromTemporal(error);
    } finally {
      await link.close();
    }
  });
}
