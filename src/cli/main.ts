#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../config/load-config.ts';
import type { CliContext } from './context.ts';
import { runCli } from './run-cli.ts';

// Libraries warn of their own affairs (a Node version, a deprecation): nothing that a user can act on here.
process.removeAllListeners('warning');
// `longhaul query … | head`: the reader has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const exitCode = await runCli(process.argv.slice(2), contextOfProcess());
// Not left to the event loop: a worker's threads or a connection on its way down would keep the user waiting.
await written(process.stdout);
await written(process.stderr);
process.exit(exitCode);

function contextOfProcess(): CliContext {
  return {
    version: versionOfPackage(),
    entry: fileURLToPath(import.meta.url),
    loadConfig: () => loadConfig(),
    out: async (text) => {
      if (!process.stdout.write(text))
        await new Promise((resolve) => process.stdout.once('drain', resolve));
    },
    note: (text) => {
      process.stderr.write(`${text}\n`);
    },
    // A terminal that does not know its size (a CI's) cannot be drawn over.
    interactive: process.stderr.isTTY && process.stderr.columns > 0,
    outIsTerminal: process.stdout.isTTY,
    width: process.stderr.columns || 80,
    setExitCode: () => undefined,
  };
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
