/**
 * `npm run record-histories [-- LABEL]`: keeps the histories of the workflows that the tests run, for later code to
 * be replayed against. Files that are there stay as they are; with a label, such as the version of a release, all
 * are recorded beside them (`published@0.2.0.json`). Record from the code that is deployed, never to make a change
 * pass.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';

const TESTS = ['workflow', 'emr-workflow', 'schedule-workflow', 'spark-waves'].map(
  (name) => `.built/test/real/${name}.test.js`,
);
const HISTORIES = 'test/workflows/histories';

const [label] = process.argv.slice(2);
if (label !== undefined && !/^[\w.-]+$/.test(label)) {
  console.error('npm run record-histories [-- LABEL]: a label has letters, digits, dots, - and _');
  process.exit(2);
}
const before = new Set(readdirSync(HISTORIES));
const child = spawn(process.execPath, ['--test', ...TESTS], {
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, RECORD_HISTORIES: label === undefined ? '' : `@${label}` },
});
child.once('close', (code) => {
  const added = readdirSync(HISTORIES).filter((file) => !before.has(file));
  console.log(added.length === 0 ? 'Nothing new.' : `Recorded ${added.join(', ')}.`);
  if (code !== 0) console.error('Some of the tests failed: npm test says which.');
  process.exitCode = code ?? 1;
});
