import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobError } from '../../src/conversion/duckdb/child-process.ts';

const READ =
  "HTTP Error: HTTP GET error reading 'https://s3.example/lake/raw/a.csv' in region 'us-east-1'";
const WRITE = 'HTTP Error: Unable to connect to URL s3://lake/out/part-00000.parquet:';

/** As DuckDB 1.5.5 says them. */
const MESSAGES: [message: string, code: string][] = [
  [`${READ} (HTTP 403 Forbidden)\n\nExpiredToken: It has expired.`, 'STORE_CREDENTIALS'],
  [`${READ} (HTTP 400 Bad Request)\n\nExpiredToken: It has expired.`, 'STORE_CREDENTIALS'],
  [`${READ} (HTTP 403 Forbidden)\n\nAccessDenied: No.`, 'STORE_FORBIDDEN'],
  [`${READ} (HTTP 404 Not Found)`, 'LAKE_CORRUPT'],
  [`${WRITE} Forbidden (HTTP code 403)\n\nAccessDenied: No.`, 'STORE_FORBIDDEN'],
  [`${WRITE} Bad Request (HTTP code 400)\n\nExpiredToken: Expired.`, 'STORE_CREDENTIALS'],
  [`${WRITE} Insufficient Storage (HTTP code 507)\n\nXMinioStorageFull: Full.`, 'STORE_FULL'],
  [`${WRITE} Forbidden (HTTP code 403)\n\nQuotaExceeded: Full.`, 'STORE_FULL'],
  [
    "HTTP Error: Request returned HTTP 503 for HTTP PUT to 'https://s3.example/lake/out/p'",
    'STORE_UNAVAILABLE',
  ],
  [
    "IO Error: Could not connect to server error for HTTP HEAD to 'https://s3.example/lake/a'",
    'STORE_UNREACHABLE',
  ],
  ['HTTP Error: something that was never seen', 'STORE_UNREACHABLE'],
  ['IO Error: Could not write file: No space left on device', 'DISK_FULL'],
  ['Out of Memory Error: failed to allocate', 'ENGINE_OUT_OF_MEMORY'],
  ['Conversion Error: HTTP 503 is no integer', 'ENGINE_FAILED'],
];

for (const [message, code] of MESSAGES) {
  test(`DuckDB's ${JSON.stringify(message.slice(0, 90))} is ${code}`, () => {
    assert.equal(jobError({ message }, 'lake').code, code);
  });
}

test('without a bucket nothing is taken for an error of S3', () => {
  const [message] = MESSAGES[0] ?? assert.fail();
  assert.equal(jobError({ message }, undefined).code, 'ENGINE_FAILED');
});

test('an error of the catalogue comes through with its hint', () => {
  const error = jobError(
    { message: 'gone', code: 'PROGRAM_NOT_INSTALLED', details: { hint: 'do' } },
    '',
  );
  assert.equal(error.code, 'PROGRAM_NOT_INSTALLED');
  assert.equal(error.details.hint, 'do');
});
