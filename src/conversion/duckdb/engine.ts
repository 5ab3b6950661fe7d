import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDbSettings } from '../../config/settings.ts';
import { storageError } from '../../storage/disk-store.ts';
import { assertDecodable } from '../decodable.ts';
import type { ConversionEngine, ConversionOutcome, ConversionRequest } from '../engine.ts';
import { runInChild } from './child-process.ts';
import { planJob } from './plan.ts';

/** The default engine: DuckDB in a child process, one a conversion. */
export function createDuckDbEngine(settings: DuckDbSettings): ConversionEngine {
  return { convert: (request) => convert(request, settings) };
}

async function convert(
  request: ConversionRequest,
  settings: DuckDbSettings,
): Promise<ConversionOutcome> {
  assertDecodable(request.scan, request.encoding);
  const { job, scratchFolder, part } = planJob(request, settings);
  await mkdir(scratchFolder).catch((error: unknown) => {
    throw storageError(error, scratchFolder);
  });
  try {
    await runInChild(job, request.signal, request.onProgress);
    return { parts: [part], schema: request.schema };
  } catch (error) {
    await rm(join(request.outputFolder, part), { force: true });
    throw error;
  } finally {
    await rm(scratchFolder, { recursive: true, force: true });
  }
}
