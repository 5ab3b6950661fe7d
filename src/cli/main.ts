#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { asLonghaulError, tellError } from './errors.ts';

// Libraries warn about an old Node version or a deprecation. The user cannot act on these warnings.
process.removeAllListeners('warning');
// In `longhaul query … | head`, `head` closes the pipe when it has enough. That is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const exitCode = await run(process.argv.slice(2));
// A worker's threads or a closing connection can keep the event loop alive, so the process exits here.
await written(process.stdout);
await written(process.stderr);
process.exit(exitCode);

/** Loads all other modules itself, so that it can report if the process may not open enough files for them. */
async function run(argv: readonly string[]): Promise<number> {
  try {
    const { runCli } = await import('./program.ts');
    const { loadConfig } = await import('../config/load-config.ts');
    return await runCli(argv, {
      version: versionOfPackage(),
      entry: fileURLToPath(import.meta.url),
      loadConfig: (lake) => loadConfig({ lake }),
      lakeFlag: '',
      out,
      note,
      // The CLI cannot draw over lines if the terminal has no known size, as in CI.
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
