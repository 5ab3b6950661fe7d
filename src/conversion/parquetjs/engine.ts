import { LonghaulError } from '../../model/errors.ts';
import { printable } from '../../model/names.ts';
import type { Schema } from '../../model/schema.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { convertInParts, type PartToWrite } from '../parts/convert-in-parts.ts';
import type { PartSizes } from '../parts/next-range.ts';
import { ofCatalogue, type PlainError } from '../plain-error.ts';
import { runInThread } from '../thread.ts';
import { writableSchema, writerSchema } from './schema.ts';
import type { FileToWrite } from './write-file.ts';

/** The reference engine: csv-parse and parquetjs-lite in a thread. No native code, bounded memory, slow. */
export function createParquetJsEngine(sizes: PartSizes): ConversionEngine {
  return { convert: async (request) => await convert(request, sizes) };
}

async function convert(request: ConversionRequest, sizes: PartSizes): Promise<ConversionOutcome> {
  assertDecodable(request.scan, request.encoding);
  const schema = writableSchema(request.schema);
  writerSchema(schema.columns);
  const parts = await convertInParts(
    request,
    sizes,
    async (part) => await writePart(request, schema, part),
  );
  return { parts, schema };
}

/** The writer knows files only. */
async function writePart(
  request: ConversionRequest,
  schema: Schema,
  part: PartToWrite,
): Promise<void> {
  const { input, scan, encoding, output, signal } = request;
  const { start, end, records } = part.range;
  const job: FileToWrite = {
    input,
    start,
    end,
    delimiter: scan.dialect.delimiter,
    transcode: encoding === 'windows-1252' && !scan.encoding.ascii,
    columns: schema.columns,
    records,
    outputPath: part.partialPath,
  };
  const { onProgress } = part;
  await runInThread({
    script: new URL('./write.thread.js', import.meta.url),
    job,
    signal,
    onProgress,
    errorOf: engineError,
  });
  await output.putFile(part.key, job.outputPath, signal);
}

function engineError(error: PlainError): LonghaulError {
  const known = ofCatalogue(error);
  if (known) return known;
  const { message, code } = error;
  const line = `parquetjs: ${printable(message.split('\n', 1)[0] ?? '')}`;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new LonghaulError('DISK_FULL', line);
  if (code === 'EACCES' || code === 'EROFS') return new LonghaulError('LAKE_NOT_WRITABLE', line);
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return new LonghaulError('ENGINE_OUT_OF_MEMORY', line);
  return new LonghaulError('ENGINE_FAILED', line);
}
