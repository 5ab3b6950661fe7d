#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { asLonghaulError, tellError } from './errors.ts';

// Libraries warn of their own affairs (a Node version, a deprecation): nothing that a user can act on here.
process.removeAllListeners('warning');
// `longhaul query … | head`: the reader has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const exitCode = await run(process.argv.slice(2));
// Not left to the event loop: a worker's threads or a connection on its way down would keep the user waiting.
await written(process.stdout);
await written(process.stderr);
process.exit(exitCode);

/** All else is loaded here: where too few files may be open for that, the command says so. */
async function run(argv: readonly string[]): Promise<number> {
  try {
    const { runCli } = await import('./program.ts');
    const { loadConfig } = await import('../config/load-config.ts');
    return await runCli(argv, {
      version: versionOfPackage(),
      entry: fileURLToPath(import.meta.url),
      loadConfig: (lake) => loadConfig(undefined, lake),
      lakeFlag: '',
      out,
      note,
      // A terminal that does not know its size (a CI's) cannot be drawn over.
      interactive: process.stderr.isTTY && process.stderr.columns > 0,
      outIsTerminal: process.stdout.isTTY,
      width: process.stderr.columns || 80,
      setExitCode: () => undefined,
    });
  } catch (error) {
    return await tellError(argv, asLonghaulError(error), { out, note });
  }
}

async function out(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function versionOfPackage(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function written(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve());
  });
}
