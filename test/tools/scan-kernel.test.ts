import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SCAN_KERNEL_FILE, scanKernelText } from '../../tools/build-scan-kernel.ts';

test('the committed kernel is what scan-kernel.wat assembles to', async () => {
  assert.equal(readFileSync(SCAN_KERNEL_FILE, 'utf8'), await scanKernelText());
});
