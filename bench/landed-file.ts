import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { ConversionRequest } from '../src/conversion/engine.ts';
import { inspect } from '../src/conversion/inspect.ts';
import { CsvScanner } from '../src/csv/scanner.ts';
import type { Encoding } from '../src/model/dataset.ts';
import type { CsvScan } from '../src/model/scan.ts';
import { DiskStore } from '../src/storage/disk-store.ts';

/** What the landing finds out on the way. */
export async function scanOf(path: string, encoding: Encoding): Promise<CsvScan> {
  const file = await open(path);
  const mark = Buffer.alloc(3);
  await file.read(mark, 0, mark.length, 0);
  await file.close();
  const bomBytes = mark.equals(Buffer.from([0xef, 0xbb, 0xbf])) ? mark.length : 0;
  const scanner = new CsvScanner({ delimiter: ',', quote: '"', bomBytes });
  for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    scanner.push(block as Buffer);
  }
  return scanner.finish(encoding);
}

/** A file as engines get it; its types come from the whole of it. */
export async function inspected(
  path: string,
  scan: CsvScan,
  encoding: Encoding,
): Promise<Omit<ConversionRequest, keyof Output>> {
  const file = {
    input: { kind: 'disk' as const, path },
    scan,
    encoding,
    signal: new AbortController().signal,
    onProgress: (): void => undefined,
  };
  const { size } = await stat(path);
  const schema = await inspect({ ...file, bytes: size, overrides: {} });
  return { ...file, inputBytes: size, schema };
}

type Output = Pick<ConversionRequest, 'output' | 'outputPrefix' | 'scratchPrefix'>;

/** Where the parts go: a folder below it. */
export function outputIn(folder: string): Output {
  return { output: new DiskStore(folder), outputPrefix: 'out/', scratchPrefix: 'scratch/' };
}
