import { fileURLToPath } from 'node:url';
import type { Config } from '../config/load-config.ts';
import type { FileReport } from '../conversion/file-report.ts';
import { isFileAddress } from '../model/addresses.ts';
import { datedAddress, ingestDateAt } from '../model/dates.ts';
import type { SourceSpec } from '../model/dataset.ts';
import { LonghaulError } from '../model/errors.ts';
import type { Choice, Description } from '../landing/portals/portal.ts';
import { withSource } from '../landing/secrets.ts';
import { describeSource, openSource, type OpenRequest } from '../landing/source.ts';
import { markFile } from '../storage/file-marks.ts';
import { openTemporaryFolder } from '../storage/temporary-folder.ts';

/** A source that this process itself asks its publisher for: no worker has part in it. */
export interface Asked {
  config: Config;
  source: SourceSpec;
  /** Whether the user knows the source by its id, so that errors name it. */
  isNamed: boolean;
  /** For the day that an address may have in it. */
  timeZone: string;
  signal: AbortSignal;
}

export async function describeAsked(asked: Asked): Promise<Description | Choice[] | undefined> {
  return await withRequest(asked, async (spec, request) => await describeSource(spec, request));
}

/** How the source's file is read and typed, by no more than its first bytes. */
export async function reportAsked(asked: Asked, limitBytes: number): Promise<FileReport> {
  const { reportFile } = await import('../conversion/file-report.ts');
  return await withRequest(asked, async (spec, request) => {
    const headBytes = Number.isFinite(limitBytes) ? { headBytes: limitBytes } : {};
    const opened = await openSource(spec, { ...request, ...headBytes });
    try {
      const { body, totalBytes, reading } = opened;
      return await reportFile({
        source: spec.id,
        body,
        overrides: { ...spec.overrides, ...reading },
        isCanonical: reading !== undefined,
        limitBytes,
        totalBytes,
      });
    } finally {
      await opened.close();
    }
  });
}

/** A file that the user named is marked for this command only: the worker follows what `ingest` has named. */
async function withRequest<T>(
  { config, source, isNamed, timeZone, signal }: Asked,
  work: (spec: SourceSpec, request: OpenRequest) => Promise<T>,
): Promise<T> {
  const address = datedAddress(source.address, ingestDateAt(new Date(), timeZone));
  const secrets = config.secretsOf(source);
  const { http: settings, addresses } = config.settings;
  const isMarked = isFileAddress(address) && addresses.fileMarks !== undefined;
  const marks = isMarked ? await openTemporaryFolder() : undefined;
  try {
    if (marks) await markFile(marks.folder, fileURLToPath(address), { dated: false });
    const policy = marks ? { ...addresses, fileMarks: marks.folder } : addresses;
    const request = { settings, policy, secrets, signal };
    return await withSource(source.id, secrets, async () => {
      return await work({ ...source, address }, request);
    });
  } catch (error) {
    if (isNamed || !(error instanceof LonghaulError)) throw error;
    const { code, message, details, cause } = error;
    throw new LonghaulError(code, message, { ...details, source: undefined }, { cause });
  } finally {
    await marks?.close();
  }
}
