import { fileURLToPath } from 'node:url';
import type { Settings } from '../config/settings.ts';
import { isFileAddress } from '../model/addresses.ts';
import { isDated } from '../model/dated-address.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { markFile } from '../storage/file-marks.ts';

/**
 * Lets the embedded worker follow the `file:` addresses of datasets: for what this user named, on the command line or
 * in datasets.yaml, and never for what a run's history holds, which a stranger may have started.
 */
export async function nameFiles(
  { addresses: { fileMarks } }: Pick<Settings, 'addresses'>,
  datasets: readonly DatasetSpec[],
): Promise<void> {
  if (fileMarks === undefined) return;
  for (const { sources } of datasets) {
    for (const source of sources) {
      const { address } = source;
      if (!isFileAddress(address)) continue;
      await markFile(fileMarks, pathOf(address), { dated: isDated(source) });
    }
  }
}

function pathOf(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (error) {
    const message = `${address} is no file here: ${(error as Error).message}.`;
    throw new LonghaulError('ADDRESS_REFUSED', message, {}, { cause: error });
  }
}
