import { join } from 'node:path';
import { answerOf, locate, type Installer, type LocateOptions } from '../../src/programs/locate.ts';
import { readPin, runFetcher, makeWhole, type Pin } from '../../src/programs/tools-folder.ts';

/**
 * Finds versitygw, an S3 server over a folder, for the demo and the tests: VERSITYGW (`given`), `versitygw` on the
 * PATH, or one built before. Otherwise Go builds it now.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED with each place that was tried, and the command to run.
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

/** Puts only the program into a folder of its own. Go's module cache keeps the sources. */
function goInstaller(pin: Pin): Installer {
  return {
    name: `go install ${packageOf(pin)}`,
    install: async (path, signal) => {
      await makeWhole(path, async (scratch) => {
        // env(1) keeps the rest of the environment: HOME, GOPROXY, GOFLAGS.
        await runFetcher('env', [`GOBIN=${scratch}`, 'go', 'install', packageOf(pin)], signal);
        return join(scratch, 'versitygw');
      });
    },
  };
}

function packageOf({ name, version }: Pin): string {
  return `${name}@v${version}`;
}

async function problemWith(path: string): Promise<string | undefined> {
  const answer = await answerOf(path, '--help');
  if (!answer) return 'is not versitygw: it fails with --help';
  return answer.stdout.includes('Versity S3 Gateway') ? undefined : 'is not versitygw';
}
