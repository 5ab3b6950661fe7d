import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { causeIn, takeFolder } from '../../../tools/local-aws/spark-site.ts';
import { withTempFolder } from '../../helpers/temp-folder.ts';

it('a failed program has the root cause for a message, else the last exception', () => {
  const trace = [
    '26/11/25 INFO x',
    'Exception in thread "main" java.lang.A: one',
    '\tat b.C',
    'Caused by: d.E: two',
    'Caused by: f.G: three',
    '26/11/25 INFO end',
  ];
  assert.equal(causeIn(trace.join('\n')), 'Caused by: f.G: three');
  const withoutCauses = trace.slice(0, 3).join('\n');
  assert.equal(causeIn(withoutCauses), 'Exception in thread "main" java.lang.A: one');
  assert.equal(causeIn('Traceback\nValueError: no\n'), 'ValueError: no');
  assert.equal(causeIn('all is well\n'), undefined);
});

it('a server takes a folder for itself, and removes what a killed one left there, and nothing else', async () => {
  await withTempFolder(async (folder) => {
    for (const name of ['j-0A1B', 'hdfs-1', 'job-00ab', 'mine'])
      await mkdir(join(folder, name, 'data'), { recursive: true });
    await takeFolder(folder);
    assert.deepEqual((await readdir(folder)).toSorted(), ['mine', 'server.lock']);
    await assert.rejects(takeFolder(folder), /Another server uses/);
  });
});
