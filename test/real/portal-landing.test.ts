import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { crc32 } from 'node:zlib';
import type { LakeSettings } from '../../src/config/settings.ts';
import { ZONE_FOLDERS } from '../../src/model/layout.ts';
import {
  everything,
  landInProcess,
  MIB,
  PART_BYTES,
  storedChecksum,
  type LandingLine,
} from '../helpers/landings.ts';
import {
  featuresOf,
  layerOf,
  startArcgis,
  type ArcgisServer,
  type FakeLayer,
} from '../helpers/portal.ts';
import { startS3, type TestS3 } from '../helpers/s3.ts';
import { withTempFolder } from '../helpers/temp-folder.ts';

const KEY = 'demo/ingest_date=2026-11-01/source=all/all.csv';
const WHOLE = ['all.csv', 'all.csv.manifest.json'];
const RECORDS = 60_000;
/** Bytes of a record in the CSV: seven digits, a comma, the text, a line feed. */
const RECORD_BYTES = 1000;
const FIRST_ID = 1_000_000;
const PAGE_RECORDS = 2000;
const KILLS = 4;
const CONCURRENCY = 1;
/** After a kill, the worker reads these again: the page in which the last part ends, and the page requested ahead. */
const PAGES_BYTES = 2 * PAGE_RECORDS * RECORD_BYTES;
/** A checkpoint on a disk may be this many bytes behind. */
const CHECKPOINT_BYTES = 32 * MIB;
/** Memory above idle: five buffers of 16 MiB, two pages as text and as objects, and uncollected garbage. */
const MAX_MEMORY_BYTES = 256 * MIB;

let s3: TestS3;
let portal: ArcgisServer;
before(async () => {
  portal = await startArcgis();
  s3 = await startS3();
});
after(async () => {
  await s3.close();
  await portal.close();
});

function tableOf(records: number, letter = 'x'): FakeLayer {
  const text = letter.repeat(RECORD_BYTES - 9);
  const features = featuresOf(records, (id) => ({ OBJECTID: FIRST_ID + id, name: text }));
  const id = (index: number): bigint => BigInt(FIRST_ID + index + 1);
  return layerOf({ ...features, id }, undefined, { cap: PAGE_RECORDS });
}

function csvOf(letter = 'x'): Buffer {
  const text = letter.repeat(RECORD_BYTES - 9);
  const lines = Array.from({ length: RECORDS }, (_, at) => `${FIRST_ID + at + 1},${text}\n`);
  return Buffer.from(`OBJECTID,name\n${lines.join('')}`);
}

const checksumOf = (bytes: Buffer): string => `crc32:${crc32(bytes).toString(16).padStart(8, '0')}`;

interface Lake {
  lake: LakeSettings;
  env?: Record<string, string>;
}

/** Runs a landing to its end, or kills it with SIGKILL at this request for a page. */
async function land(
  layer: FakeLayer,
  address: string,
  { lake, env }: Lake,
  killedAt = Number.POSITIVE_INFINITY,
): Promise<LandingLine> {
  const { child, end } = landInProcess({ address, lake, key: KEY, ...(env && { env }) });
  const seen = layer.requests.length;
  layer.intercept = () => {
    const pages = recordsAsked(layer.requests.slice(seen)).length;
    if (pages >= killedAt) child.kill('SIGKILL');
    return undefined;
  };
  return await end;
}

/** Number of records that the landing had read before each page. */
function recordsAsked(requests: FakeLayer['requests']): number[] {
  const wheres = requests.flatMap(({ kind, form }) =>
    kind === 'page' && form.get('orderByFields') === 'OBJECTID ASC'
      ? (form.get('where') ?? '')
      : [],
  );
  return wheres.map((where) => Number(/> (\d+)/.exec(where)?.[1] ?? FIRST_ID) - FIRST_ID);
}

const lakes: [string, number, (folder: string, prefix: string) => Lake][] = [
  ['S3', (CONCURRENCY + 1) * PART_BYTES, (_, prefix) => inS3(prefix)],
  ['on a disk', CHECKPOINT_BYTES, (folder) => ({ lake: { kind: 'disk', folder } })],
];

function inS3(prefix: string): Lake {
  return { lake: { ...s3.settings, uploadConcurrency: CONCURRENCY, prefix }, env: s3.env };
}

for (const [name, partsBytes, lakeOf] of lakes) {
  it(`a table by pages, killed again and again, loses no record and reads few twice (${name})`, async (t) => {
    await withTempFolder(async (folder) => {
      const layer = tableOf(RECORDS);
      const address = portal.serve(layer);
      const lake = lakeOf(folder, 'killed/');
      let reached = 0;
      const starts: number[] = [];
      for (let kill = 0; kill <= KILLS; kill += 1) {
        const seen = layer.requests.length;
        const last = await land(layer, address, lake, kill < KILLS ? 12 + kill * 2 : undefined);
        const asked = recordsAsked(layer.requests.slice(seen));
        const [from = 0] = asked;
        const againBytes = (reached - from) * RECORD_BYTES;
        assert.ok(againBytes <= partsBytes + PAGES_BYTES, `${againBytes} bytes again`);
        starts.push(from);
        reached = Math.max(reached, asked.at(-1) ?? 0);
        if (last.checksum === undefined) continue;
        assert.equal(last.checksum, checksumOf(csvOf()));
        break;
      }
      assert.ok(Math.max(...starts) > 0, 'it never went on');
      t.diagnostic(`started at records ${starts.join(', ')}`);
      const bytes =
        name === 'S3'
          ? await storedChecksum(s3, `killed/${ZONE_FOLDERS.raw}/${KEY}`)
          : checksumOf(await readFile(join(folder, ZONE_FOLDERS.raw, KEY)));
      assert.equal(bytes, checksumOf(csvOf()));
    });
  });
}

it('records that are edited without a date while nobody reads are found at the seam, and all are read anew', async () => {
  const layer = tableOf(RECORDS);
  const address = portal.serve(layer);
  const lake = inS3('edited/');
  await land(layer, address, lake, 22);
  layer.features = tableOf(RECORDS, 'y').features;
  const seen = layer.requests.length;
  const { checksum } = await land(layer, address, lake);
  const [from, ...rest] = recordsAsked(layer.requests.slice(seen));
  assert.ok((from ?? 0) > 0, 'it went on');
  assert.ok(rest.includes(0), 'and began anew');
  assert.equal(checksum, checksumOf(csvOf('y')));
  assert.deepEqual(
    await everything(s3, `edited/${ZONE_FOLDERS.raw}/${KEY.replace('all.csv', '')}`),
    WHOLE,
  );
});

it('memory stays at two pages and the parts on their way, whatever the number of records', async (t) => {
  const layer = tableOf(200_000);
  const {
    records,
    peakRss = Infinity,
    idleRss = 0,
    seconds,
  } = await land(layer, portal.serve(layer), inS3('big/'));
  assert.equal(records, 200_000);
  const above = peakRss - idleRss;
  t.diagnostic(
    `200,000 records in ${seconds?.toFixed(1)} s, ${(above / MIB).toFixed(0)} MiB above idle`,
  );
  assert.ok(above <= MAX_MEMORY_BYTES, `${above} bytes above idle`);
});
