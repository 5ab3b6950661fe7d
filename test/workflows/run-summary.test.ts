import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runSummary } from '../../src/workflows/run-summary.ts';
import { sourceResult } from './source-result.ts';

it('the Web UI says how each source was read, and where its bare quotes are', () => {
  const summary = runSummary(
    { dataset: 'x', ingestDate: '2026-01-31' },
    {
      stage: 'done',
      sources: [
        {
          id: 'a',
          stage: 'done',
          result: {
            ...sourceResult('a', 'converted'),
            csv: {
              delimiter: '|',
              delimiterFrom: 'sep=',
              encoding: 'windows-1252',
              encodingFrom: 'declared',
              header: false,
              bareQuotes: { count: 7, examples: [{ record: 2, line: 3, byteOffset: 20 }] },
            },
          },
        },
      ],
    },
  );
  assert.ok(
    summary.includes(
      '- **a** read as: windows-1252 (declared), bar (sep=), no header; 7 quotes inside unquoted fields, kept as text: record 2 (line 3, byte 20), …',
    ),
    summary,
  );
});
