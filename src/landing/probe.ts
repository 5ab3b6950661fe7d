import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { Validator } from '../model/manifest.ts';
import type { Dialect } from '../model/scan.ts';
import { assertPlainText } from './content-kind.ts';
import { HEAD_BYTES, sniffHead } from '../csv/dialect.ts';
import { headOf } from './http-answers.ts';
import { withSource, type Secrets } from './secrets.ts';
import { openSource } from './source.ts';

export interface ProbeResult {
  validator: Validator;
  totalBytes?: number;
  /** Of a portal's table. */
  totalRecords?: number;
  /** Absent where the publisher was too slow to send the first bytes in time, and where Longhaul writes the bytes itself. */
  dialect?: Dialect;
}

/**
 * A head that comes slowly is not waited for: the landing reads it anyway, and a retry would throw it away. A share of
 * the stall time, so that what came is judged before the body counts as stalled or too slow.
 */
const READ_SHARE_OF_STALL = 1 / 2;

/**
 * What a source is now, from its first MiB: which version, how long, and whether it is CSV at all.
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
      // A 206 of unknown total may end at the asked-for byte without being the whole file.
      const fits =
        opened.totalBytes === undefined
          ? head.length < HEAD_BYTES
          : opened.totalBytes === head.length;
      const complete = ended && fits;
      const totalBytes = opened.totalBytes ?? (complete ? head.length : undefined);
      assertPlainText(head);
      const isEnough = ended || head.length === HEAD_BYTES;
      return isEnough
        ? { validator, totalBytes, dialect: sniffHead(head, complete, spec.overrides) }
        : { validator, totalBytes };
    } finally {
      await opened.close();
    }
  });
}
