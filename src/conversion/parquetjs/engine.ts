import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { LonghaulError } from '../../model/errors.ts';
import { partName } from '../../model/layout.ts';
import { printable } from '../../model/names.ts';
import { assertDecodable } from '../decodable.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { startThread } from '../sibling-script.ts';
import { writableSchema, writerSchema } from './schema.ts';
import type { FileToWrite } from './write-file.ts';
import type { WriteMessage } from './write-worker.ts';

/** The reference engine: csv-parse and parquetjs-lite in a thread. No native code, bounded memory, slow. */
export function createParquetJsEngine(): ConversionEngine {
  return { convert };
}

async function convert(request: ConversionRequest): Promise<ConversionOutcome> {
  const { scan, signal } = request;
  signal.throwIfAborted();
  assertDecodable(scan, request.encoding);
  const schema = writableSchema(request.schema);
  writerSchema(schema.columns);
  const part = partName(0);
  const job: FileToWrite = {
    inputPath: request.inputPath,
    start: scan.splits[0] ?? request.inputBytes,
    end: request.inputBytes,
    delimiter: scan.dialect.delimiter,
    transcode: request.encoding === 'windows-1252' && !scan.encoding.ascii,
    columns: schema.columns,
    records: scan.records,
    outputPath: join(request.outputFolder, part),
  };
  const worker = startThread('write-worker', import.meta.url, job);
  try {
    await finished(worker, request);
    return { parts: [part], schema };
  } catch (error) {
    await worker.terminate();
    await rm(job.outputPath, { force: true });
    throw error;
  }
}

async function finished(worker: Worker, request: ConversionRequest): Promise<void> {
  const { signal, onProgress } = request;
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    worker.on('message', (message: WriteMessage) => {
      if ('bytes' in message) onProgress(message);
      else if ('done' in message) resolve();
      else reject(engineError(message.error, message.code));
    });
    worker.once('error', (error: NodeJS.ErrnoException) =>
      reject(engineError(error.message, error.code)),
    );
    worker.once('exit', (code) => {
      signal.removeEventListener('abort', abort);
      reject(engineError(`its thread ended with ${code}`, undefined));
    });
  });
}

function engineError(message: string, code: string | undefined): LonghaulError {
  const line = `parquetjs: ${printable(message.split('\n', 1)[0] ?? '')}`;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new LonghaulError('DISK_FULL', line);
  if (code === 'EACCES' || code === 'EROFS') return new LonghaulError('LAKE_NOT_WRITABLE', line);
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return new LonghaulError('ENGINE_OUT_OF_MEMORY', line);
  return new LonghaulError('ENGINE_FAILED', line);
}
