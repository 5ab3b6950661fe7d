import type { AddressPolicy, HttpSettings } from '../config/settings.ts';
import type { SourceSpec } from '../model/dataset.ts';
import type { Validator } from '../model/validator.ts';
import type { Dialect } from '../model/scan.ts';
import { HEAD_BYTES, sniffHead } from './dialect.ts';
import { openSource } from './source.ts';
import { withSource } from './source-errors.ts';

export interface ProbeResult {
  validator: Validator;
  totalBytes?: number;
  dialect: Dialect;
}

/**
 * What a source is now, from its first MiB: which version, how long, and whether it is CSV at all.
 * @throws LonghaulError as `openSource` and `sniffHead` do.
 */
export async function probe(
  spec: SourceSpec,
  deps: { http: HttpSettings; addresses: AddressPolicy },
  signal: AbortSignal = new AbortController().signal,
): Promise<ProbeResult> {
  return await withSource(spec.id, async () => {
    const { http: settings, addresses: policy } = deps;
    const opened = await openSource(spec.address, {
      settings,
      policy,
      signal,
      headBytes: HEAD_BYTES,
    });
    try {
      const { head, ended } = await readHead(opened.body);
      // A 206 of unknown total may end at the asked-for byte without being the whole file.
      const complete =
        ended &&
        (opened.totalBytes === undefined
          ? head.length < HEAD_BYTES
          : opened.totalBytes === head.length);
      const dialect = sniffHead(head, complete, spec.overrides);
      const { validator, totalBytes = complete ? head.length : undefined } = opened;
      return { validator, dialect, ...(totalBytes === undefined ? {} : { totalBytes }) };
    } finally {
      await opened.close();
    }
  });
}

async function readHead(body: AsyncIterable<Buffer>): Promise<{ head: Buffer; ended: boolean }> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.length;
    if (length > HEAD_BYTES)
      return { head: Buffer.concat(pieces).subarray(0, HEAD_BYTES), ended: false };
  }
  return { head: Buffer.concat(pieces), ended: true };
}
