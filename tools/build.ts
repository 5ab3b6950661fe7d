/** `npm run build`: compiles TypeScript to dist/, then makes the workflow bundle that production workers load. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import { buildWorkflowBundle } from './build-workflow-bundle.ts';

const CLI = 'dist/cli/main.js';

rmSync('dist', { recursive: true, force: true });
const compiler = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (compiler.status !== 0) process.exit(compiler.status ?? 1);
// Scripts in Python and shell are copied unchanged.
const SCRIPTS = ['conversion/spark/convert.py', 'emr/shut-down-after.sh', 'lake/spark/query.py'];
for (const script of SCRIPTS) cpSync(`src/${script}`, `dist/${script}`);
// npx runs the file as a program.
if (existsSync(CLI)) chmodSync(CLI, 0o755);
await buildWorkflowBundle();
