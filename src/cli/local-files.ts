import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Config } from '../config/load-config.ts';
import type { Settings } from '../config/settings.ts';
import { isFileAddress, NO_FILES_HINT } from '../model/addresses.ts';
import { isDated } from '../model/dated-address.ts';
import type { DatasetSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { markFile } from '../storage/file-marks.ts';

/**
 * The `file:` address of what a person typed: a path, or a `file:` address already.
 * @param isRead whether it must be there, and readable.
 * @throws LonghaulError ADDRESS_REFUSED, SOURCE_NOT_FOUND, SOURCE_FORBIDDEN, USAGE.
 */
export function addressOfPath(
  typed: string,
  { settings, cwd }: Pick<Config, 'settings' | 'cwd'>,
  isRead: boolean,
): string {
  const path = isFileAddress(typed) ? pathOf(typed) : resolve(cwd, typed);
  if (settings.addresses.fileMarks === undefined) {
    const where = settings.temporal.address ?? 'elsewhere';
    const message = `${printable(path)} is a file of this machine, which the workers of the Temporal at ${where} do not read.`;
    throw new LonghaulError('ADDRESS_REFUSED', message, { hint: NO_FILES_HINT });
  }
  if (isRead) assertReadable(path, typed);
  return pathToFileURL(path).href;
}

function assertReadable(path: string, typed: string): void {
  const shown = printable(path);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) {
    const www = /^www\./i.test(typed) || /^https?\/\//i.test(typed);
    const hint = www
      ? 'An address starts with https:// or http://.'
      : 'Look at the path; a dataset of datasets.yaml is named without dots and slashes.';
    throw new LonghaulError('SOURCE_NOT_FOUND', `There is no file ${shown}.`, { hint });
  }
  if (!found.isFile()) {
    const what = found.isDirectory() ? 'a folder' : 'no regular file';
    const hint = 'Name one CSV file; several sources make a dataset of datasets.yaml.';
    throw new LonghaulError('USAGE', `${shown} is ${what}.`, { hint });
  }
  try {
    accessSync(path, constants.R_OK);
  } catch {
    const hint = 'Give yourself the permission to read it (chmod u+r).';
    throw new LonghaulError('SOURCE_FORBIDDEN', `You may not read ${shown}.`, { hint });
  }
}

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
    const message = `${printable(address)} is no file here: ${(error as Error).message}.`;
    const hint = 'A path needs no file: before it, and no host.';
    throw new LonghaulError('ADDRESS_REFUSED', message, { hint }, { cause: error });
  }
}
