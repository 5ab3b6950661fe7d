import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locate, type Installer, type LocateOptions } from '../../src/programs/locate.ts';
import { readPin, FETCH_TIMEOUT_MS, makeWhole, type Pin } from '../../src/programs/tools-folder.ts';

const run = promisify(execFile);

/**
 * The path of versitygw, an S3 server over a folder, for the demo and the tests: VERSITYGW (`given`), or
 * `versitygw` on the PATH, or one built before, or else built now by Go.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED naming each thing tried, and the command to run.
 */
export async function locateVersitygw(options: LocateOptions = {}): Promise<string> {
  const pin = await readPin('versitygw', 'go');
  const wanted = {
    title: 'versitygw program',
    setting: 'VERSITYGW',
    code: 'PROGRAM_NOT_INSTALLED',
    hint: `Install Go and run \`go install ${packageOf(pin)}\`, then put versitygw on the PATH or set VERSITYGW.`,
    fileName: 'versitygw',
    onPath: true,
    folder: `versitygw-${pin.version}`,
    size: 'a build of a few minutes',
    installer: goInstaller(pin),
    problemWith,
  } as const;
  return await locate(wanted, options);
}

/** The program in a folder of its own and nothing else; Go's module cache keeps the sources, as always. */
function goInstaller(pin: Pin): Installer {
  return {
    name: `go install ${packageOf(pin)}`,
    install: async (path, signal) => {
      const limits = { timeout: FETCH_TIMEOUT_MS, signal };
      await makeWhole(path, async (scratch) => {
        // env(1) leaves the rest of the environment as it is: HOME, GOPROXY, GOFLAGS.
        await run('env', [`GOBIN=${scratch}`, 'go', 'install', packageOf(pin)], limits);
        return join(scratch, 'versitygw');
      });
    },
  };
}

function packageOf({ name, version }: Pin): string {
  return `${name}@v${version}`;
}

async function problemWith(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--help'], { timeout: ANSWER_TIMEOUT_MS });
    return stdout.includes('Versity S3 Gateway') ? undefined : 'is not versitygw';
  } catch {
    return 'is not versitygw: it fails with --help';
  }
}

/** It takes 0.1 s; a big program on a cold, slow disk takes longer. */
const ANSWER_TIMEOUT_MS = 30_000;
