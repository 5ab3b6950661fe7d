/**
 * A landing to S3 in a process of its own, to be killed or measured: `s3-land-process.ts ADDRESS SETTINGS PREFIX KEY`,
 * where SETTINGS is `S3Settings` in JSON. Prints a JSON object a line: `{bytes}` as it goes on, at the end
 * `{checksum, records, seconds, idleRss, peakRss}` or `{code, message}`.
 */
import type { S3Settings } from '../../src/config/settings.ts';
import { land } from '../../src/landing/land.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import { S3Store } from '../../src/storage/s3/s3-store.ts';
import { S3Zone } from '../../src/storage/s3/zone.ts';

const RSS_SAMPLE_MS = 20;

const [address = '', settings = '{}', prefix = '', rawKey = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const store = new S3Store(new S3Zone(JSON.parse(settings) as S3Settings, prefix));
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
  print({ code: error.code, message: error.message });
} finally {
  clearInterval(sampling);
}
