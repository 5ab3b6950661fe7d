/** `node --import tsx tools/build-scan-kernel.ts`: assembles the scan kernel into the TypeScript that is committed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import initWabt from 'wabt';

const SOURCE = 'src/csv/scan-kernel.wat';
export const SCAN_KERNEL_FILE = 'src/csv/scan-kernel.ts';

/** prettier leaves lines of this width as they are. */
const CHARACTERS_A_LINE = 92;

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  writeFileSync(SCAN_KERNEL_FILE, await scanKernelText());
}

/** The text that scan-kernel.ts must have, made from the WAT file. */
export async function scanKernelText(): Promise<string> {
  const wabt = await initWabt();
  const parsed = wabt.parseWat(SOURCE, readFileSync(SOURCE, 'utf8'), { simd: true });
  parsed.validate();
  const base64 = Buffer.from(parsed.toBinary({}).buffer).toString('base64');
  parsed.destroy();
  const lines = base64.match(new RegExp(`.{1,${CHARACTERS_A_LINE}}`, 'gu')) ?? [];
  return [
    '/** scan-kernel.wat in WebAssembly, base64: written by tools/build-scan-kernel.ts, not by hand. */',
    'export const SCAN_KERNEL = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}
