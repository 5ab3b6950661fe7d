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

/** A source that this process requests from its publisher itself, without a worker. */
export interface Asked {
  config: Config;
  source: SourceSpec;
  /** True if the user knows the source by its id. Errors then name the source. */
  isNamed: boolean;
  /** Time zone of the day that an address may contain. */
  timeZone: string;
  signal: AbortSignal;
}

export async function describeAsked(asked: Asked): Promise<Description | Choice[] | undefined> {
  return await withRequest(asked, async (spec, request) => await describeSource(spec, request));
}

/** Reports how a source's file is read and typed, from at most its first `limitBytes`. */
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

/** Marks a file that the user named for this command only, so that the worker may not read it afterwards. */
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
