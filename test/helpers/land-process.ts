/**
 * A landing in its own process, so that a test can kill or measure it: `land-process.ts ADDRESS LAKE KEY`. LAKE is the
 * lake's part of the settings as JSON. The process prints a JSON object (`LandingLine`) a line: `{bytes}` as
 * progress, and the result at the end.
 */
import { land } from '../../src/landing/land.ts';
import type { LakeSettings } from '../../src/config/settings.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { openLake } from '../../src/storage/open-lake.ts';
import type { LandingLine } from './landings.ts';

const RSS_SAMPLE_MS = 20;

const [address = '', lake = '', rawKey = ''] = process.argv.slice(2);
const print = (line: LandingLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const { raw: store } = await openLake({ lake: JSON.parse(lake) as LakeSettings });
// Idle memory includes an open connection to S3.
await store.size(rawKey);
const idleRss = process.memoryUsage.rss();
let peakRss = idleRss;
const sampling = setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, RSS_SAMPLE_MS);
const start = performance.now();
try {
  const { checksum, scan } = await land(
    {
      dataset: 'demo',
      ingestDate: '2026-11-01',
      source: { id: 'all', address, optional: false, overrides: {} },
      rawKey,
    },
    {
      store,
      http: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
      addresses: { allowPrivate: true },
    },
    { signal: new AbortController().signal, onProgress: ({ bytes }) => print({ bytes }) },
  );
  const seconds = (performance.now() - start) / 1000;
  print({ checksum, records: scan.records, seconds, idleRss, peakRss });
} catch (error) {
  if (!(error instanceof LonghaulError)) throw error;
  print({ code: error.code });
} finally {
  clearInterval(sampling);
}
