/**
 * A landing in a process of its own, to be killed or measured: `land-process.ts ADDRESS ROOT KEY`. Prints a JSON
 * object a line: `{bytes}` as it goes on, at the end `{checksum, records, seconds, idleRss, peakRss}` or `{code}`.
 */
import { land } from '../../src/landing/land.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { DiskStore } from '../../src/storage/disk-store.ts';

const RSS_SAMPLE_MS = 50;

const [address = '', root = '', rawKey = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

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
      store: new DiskStore(root),
      http: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
      addresses: { allowPrivate: true },
    },
    { signal: new AbortController().signal, onProgress: ({ bytes }) => print({ bytes }) },
  );
  const seconds = (performance.now() - start) / 1000;
  print({ checksum, records: scan.records, seconds, idleRss, peakRss });
} catch (error) {
  if (!(error instanceof LonghaulError)) throw error;
  print({ code: error.code, message: error.message });
} finally {
  clearInterval(sampling);
}
