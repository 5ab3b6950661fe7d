/**
 * `npm run record-histories [-- LABEL]`: records the histories of the workflows that the tests run. Tests replay later
 * code against them. Existing files stay as they are. With a label, such as the version of a release, all histories are
 * recorded beside them (`published@0.2.0.json`). Record from deployed code only, never to make a changed workflow pass.
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
