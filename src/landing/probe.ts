import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { Validator } from '../model/manifest.ts';
import { assertPlainText } from './content-kind.ts';
import { HEAD_BYTES, sniffHead } from '../csv/dialect.ts';
import { headOf } from './http-answers.ts';
import { withSource, type Secrets } from './secrets.ts';
import { openSource } from './source.ts';

export interface ProbeResult {
  validator: Validator;
  totalBytes?: number;
  /** The records of a portal's table. Absent for a file. */
  totalRecords?: number;
}

/**
 * The part of the stall time after which the probe stops reading a slow head. The landing reads the head anyway. The
 * part is below 1, so that the probe stops before the body counts as stalled or too slow.
 */
const READ_SHARE_OF_STALL = 1 / 2;

/**
 * Reads a source's first MiB and finds its present version and its length. Refuses a file that a landing would refuse for
 * these bytes, unless the publisher does not send them in time or Longhaul writes them itself.
 * @throws LonghaulError as `openSource` and `sniffHead` do.
 */
export async function probe(
  spec: SourceSpec,
  deps: { http: HttpSettings; addresses: AddressPolicy; secrets?: Secrets },
  signal: AbortSignal = new AbortController().signal,
): Promise<ProbeResult> {
  const { http: settings, addresses: policy, secrets = {} } = deps;
  const request = { settings, policy, secrets, signal, headBytes: HEAD_BYTES };
  return await withSource(spec.id, secrets, async () => {
    const opened = await openSource(spec, request);
    try {
      const { validator, totalRecords } = opened;
      if (opened.reading) return { validator, ...(totalRecords !== undefined && { totalRecords }) };
      const limitMs = settings.stallTimeoutMs * READ_SHARE_OF_STALL;
      const { head, ended } = await headOf(opened.body, HEAD_BYTES, limitMs);
      // A 206 answer without a total may end at the requested byte and not be the whole file.
      const fits =
        opened.totalBytes === undefined
          ? head.length < HEAD_BYTES
          : opened.totalBytes === head.length;
      const complete = ended && fits;
      const totalBytes = opened.totalBytes ?? (complete ? head.length : undefined);
      assertPlainText(head);
      if (ended || head.length === HEAD_BYTES) sniffHead(head, complete, spec.overrides);
      return { validator, totalBytes };
    } finally {
      await opened.close();
    }
  });
}
