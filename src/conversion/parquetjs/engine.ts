import { LonghaulError } from '../../model/errors.ts';
import type { Column } from '../../model/schema.ts';
import { assertDecodable } from '../../csv/encoding.ts';
import type { ConversionEngine } from '../engine.ts';
import { convertInParts, type PartSizes } from '../parts.ts';
import { engineError, firstLine, ofCatalogue, type PlainError } from '../engine-errors.ts';
import { runInChild } from '../in-child.ts';
import type { FileToWrite } from './write-file.ts';

/** The reference engine: csv-parse and parquetjs-lite in a child. No native code, bounded memory, but slow. */
export function createParquetJsEngine(sizes: PartSizes): ConversionEngine {
  return async (request) => {
    const { location, scan, encoding, output, signal } = request;
    assertDecodable(scan, encoding);
    const schema = { columns: request.schema.columns.map(writableColumn) };
    const parts = await convertInParts(request, sizes, async (part) => {
      const { start, end, records } = part.range;
      const job: FileToWrite = {
        ...{ location, start, end, records, columns: schema.columns },
        delimiter: scan.dialect.delimiter,
        transcode: encoding === 'windows-1252' && !scan.encoding.ascii,
        outputPath: part.partialPath,
      };
      const { onProgress } = part;
      const child = { work: 'parquetjs', job, program: 'parquetjs', errorOf: writerError } as const;
      await runInChild({ ...child, signal, onProgress });
      // The writer supports only files.
      await output.putFile(part.key, job.outputPath, signal);
    });
    return { parts, schema };
  };
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

function writerError(error: PlainError): LonghaulError {
  const { code = '', message } = error;
  return (
    ofCatalogue(error) ?? engineError(`parquetjs: ${firstLine(message)}`, `${code} ${message}`)
  );
}
