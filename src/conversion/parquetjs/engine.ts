import { LonghaulError } from '../../model/errors.ts';
import type { Column, Schema } from '../../model/schema.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { convertInParts, type PartSizes, type PartToWrite } from '../parts.ts';
import { engineError, firstLine, ofCatalogue, type PlainError } from '../engine-errors.ts';
import { runInThread } from '../thread.ts';
import type { FileToWrite } from './write-file.ts';

/** The reference engine: csv-parse and parquetjs-lite in a thread. No native code, bounded memory, but slow. */
export function createParquetJsEngine(sizes: PartSizes): ConversionEngine {
  return { convert: async (request) => await convert(request, sizes) };
}

async function convert(request: ConversionRequest, sizes: PartSizes): Promise<ConversionOutcome> {
  assertDecodable(request.scan, request.encoding);
  const schema = { columns: request.schema.columns.map(writableColumn) };
  const parts = await convertInParts(
    request,
    sizes,
    async (part) => await writePart(request, schema, part),
  );
  return { parts, schema };
}

/**
 * Turns integers beyond 2^53 into text, because the writer holds them as doubles.
 * @throws LonghaulError ENGINE_FAILED for a column `__proto__`, which the writer would drop without an error.
 *   (Normalised names have no underscore at either end.)
 */
function writableColumn(column: Column): Column {
  if (column.name === '__proto__') {
    throw new LonghaulError('ENGINE_FAILED', 'parquetjs cannot write a column "__proto__".');
  }
  if (column.type !== 'BIGINT' || !column.beyondDouble) return column;
  const { beyondDouble: _, ...rest } = column;
  return { ...rest, type: 'VARCHAR' };
}

/** Writes a part to a file and then puts it to its key, because the writer supports only files. */
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
    work: 'write',
    job,
    signal,
    onProgress,
    errorOf: writerError,
  });
  await output.putFile(part.key, job.outputPath, signal);
}

function writerError(error: PlainError): LonghaulError {
  const { code = '', message } = error;
  return (
    ofCatalogue(error) ?? engineError(`parquetjs: ${firstLine(message)}`, `${code} ${message}`)
  );
}
