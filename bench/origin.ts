import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { generate } from '../tools/generate/generate.ts';

/** Writes a Denver-shaped file of about this size into a folder. */
export async function makeSource(
  folder: string,
  bytes: number,
  file = '311_2023.csv',
): Promise<{ file: string; bytes: number; records: number }> {
  const made = generate({ dataset: 'denver-311', year: 2023, seed: 1, limit: { bytes } });
  await pipeline(Readable.from(made.chunks), createWriteStream(join(folder, file)));
  return { file, bytes: made.bytes, records: made.records };
}

/** Serves a folder over loopback HTTP. A process of its own does this, so that its work is not measured. */
export async function startOrigin(folder: string): Promise<{ url: string; stop: () => void }> {
  const script = join(import.meta.dirname, '..', 'tools', 'origin', 'main.js');
  const child = spawn(process.execPath, [script, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error('The origin did not start.')));
    child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim()));
  });
  return { url, stop: () => child.stdin.end() };
}
