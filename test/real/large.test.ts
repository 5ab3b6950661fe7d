import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { crc32 } from 'node:zlib';
import { DUPLICATE_EVERY, generate } from '../../tools/generate/generate.ts';
import { withLab } from '../helpers/lab.ts';

const SIZE_BYTES = 2_000_000_000;
const LF_BYTE = 0x0a;

interface Run {
  ledger: { records: number; rows: number; rejected: number; balanced: boolean };
  sources: { bytes: number; checksum: string }[];
}

interface Written {
  records: number;
  bytes: number;
  checksum: string;
  /** Line breaks inside quoted fields. All other line breaks end the header or a record. */
  innerBreaks: number;
}

/** Writes the file and counts its records and line breaks without Longhaul's code. */
async function writeFile(path: string): Promise<Written> {
  const limit = { bytes: SIZE_BYTES };
  const generated = generate({ dataset: 'denver-311', year: 2023, seed: 1, limit });
  const file = await open(path, 'w');
  let checksum = 0;
  let lineFeeds = 0;
  let lastByte = 0;
  for (const chunk of generated.chunks) {
    checksum = crc32(chunk, checksum);
    for (let at = chunk.indexOf(LF_BYTE); at !== -1; at = chunk.indexOf(LF_BYTE, at + 1))
      lineFeeds += 1;
    lastByte = chunk.at(-1) ?? lastByte;
    await file.write(chunk);
  }
  await file.close();
  const { records, bytes } = generated;
  const ends = records + (lastByte === LF_BYTE ? 1 : 0);
  const hex = checksum.toString(16).padStart(8, '0');
  return { records, bytes, checksum: `crc32:${hex}`, innerBreaks: lineFeeds - ends };
}

it('a 2 GB file with quoted line breaks comes out exact', async () => {
  await withLab({}, async (lab) => {
    const path = join(lab.folder, 'large.csv');
    const written = await writeFile(path);
    assert.ok(written.innerBreaks > 1000);
    lab.origin.set('/large.csv', { body: { file: path }, etag: '"1"' });
    await lab.datasets({ large: { 2023: lab.origin.address('/large.csv') } });
    const { code, json } = await lab.json<Run>(['ingest', 'large']);
    assert.equal(code, 0);
    const { records } = written;
    assert.deepEqual(json.ledger, { records, rows: records, rejected: 0, balanced: true });
    assert.deepEqual(
      [json.sources[0]?.bytes, json.sources[0]?.checksum],
      [written.bytes, written.checksum],
    );
    // The file numbers its records, except exact copies. Every record must be there with all its line breaks.
    const sql = `SELECT count(DISTINCT object_id) AS ids, min(object_id) AS first, max(object_id) AS last,
      sum(length(case_summary) - length(replace(case_summary, chr(10), '')))::BIGINT AS breaks FROM large`;
    const { stdout } = await lab.run(['query', sql, '--format', 'json']);
    assert.deepEqual(JSON.parse(stdout), [
      {
        ids: records - Math.floor(records / DUPLICATE_EVERY),
        first: 1,
        last: records,
        breaks: written.innerBreaks,
      },
    ]);
  });
});
