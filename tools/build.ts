/** `npm run build`: TypeScript to dist/, then the workflow bundle that production workers load. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import { buildWorkflowBundle } from './build-workflow-bundle.ts';

const CLI = 'dist/cli/main.js';

rmSync('dist', { recursive: true, force: true });
const compiler = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (compiler.status !== 0) process.exit(compiler.status ?? 1);
// Python and shell, as they are.
const SCRIPTS = ['conversion/spark/convert.py', 'emr/shut-down-after.sh', 'lake/spark/query.py'];
for (const script of SCRIPTS) cpSync(`src/${script}`, `dist/${script}`);
// npx runs it as a program.
if (existsSync(CLI)) chmodSync(CLI, 0o755);
await buildWorkflowBundle();
