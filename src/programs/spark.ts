import { readdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { printable } from '../model/names.ts';
import { answerOf, locate, type LocateOptions } from './locate.ts';
import { readPin, pipInstall, makeWhole, type Pin } from './tools-folder.ts';

const FILE_NAME = 'spark-submit';
const FOLDER = 'pyspark';

export interface Spark {
  /** SPARK_HOME: the folder with `bin/spark-submit`, `jars/` and `python/lib/`. */
  home: string;
  submit: string;
  /** For example `4.3.0`. */
  version: string;
}

/** `convert.py` is tested with this and later versions. */
const OLDEST = [3, 5] as const;

/**
 * Finds Spark: SPARK_HOME (`given`), `spark-submit` on the PATH, one that was fetched before, or a pyspark that python3
 * can import. If there is none, fetches the pinned pyspark.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED with each place tried.
 */
export async function locateSpark({ given, ...options }: LocateOptions = {}): Promise<Spark> {
  const pin = await readPin('pyspark', 'pypi');
  const wanted = {
    title: 'Spark',
    setting: 'SPARK_HOME',
    code: 'PROGRAM_NOT_INSTALLED',
    hint:
      `Run \`pip install pyspark==${pin.version}\`, or set SPARK_HOME in .env to the folder of a Spark ` +
      `${OLDEST.join('.')} or later, the one with bin/${FILE_NAME} in it.`,
    fileName: FILE_NAME,
    onPath: true,
    folder: `pyspark-${pin.version}`,
    pathInFolder: join(FOLDER, 'bin', FILE_NAME),
    size: 'about 450 MB',
    elsewhere: ofPython,
    installer: {
      name: 'Python package',
      install: async (path: string, signal?: AbortSignal) =>
        void (await fetchPyspark(pin, resolve(path, '../../..'), signal)),
    },
    problemWith,
  } as const;
  const search = { ...options, given: given ? join(given, 'bin', FILE_NAME) : undefined };
  const home = await homeOf(await locate(wanted, search));
  return { home, submit: join(home, 'bin', FILE_NAME), version: (await versionIn(home)) ?? '' };
}

/** Puts the package into a folder, completely or not at all. @returns SPARK_HOME, `pyspark` in that folder. */
export async function fetchPyspark(
  { name, version }: Pin,
  folder: string,
  signal?: AbortSignal,
): Promise<string> {
  const home = join(folder, FOLDER);
  await makeWhole(home, async (scratch) =>
    join(await pipInstall([`${name}==${version}`], scratch, signal), FOLDER),
  );
  return home;
}

/** Path in the pyspark that python3 can import. The script does not import it, because that takes a second. */
async function ofPython(): Promise<string[]> {
  const script =
    'import importlib.util as u; s = u.find_spec("pyspark"); print(s.submodule_search_locations[0] if s else "")';
  const folder = (await answerOf('python3', '-c', script))?.stdout.trim() ?? '';
  return folder === '' ? [] : [join(folder, 'bin', FILE_NAME)];
}

async function problemWith(path: string): Promise<string | undefined> {
  const home = await homeOf(path).catch(() => undefined);
  const version = home === undefined ? undefined : await versionIn(home);
  if (version === undefined) return 'lies in no folder of Spark (one with jars/spark-core_….jar)';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return isOld ? `is of Spark ${printable(version)}, older than ${OLDEST.join('.')}` : undefined;
}

async function homeOf(submit: string): Promise<string> {
  return dirname(dirname(await realpath(submit)));
}

/** The version in the name of Spark's core jar, because `spark-submit --version` would start a JVM. */
async function versionIn(home: string): Promise<string | undefined> {
  const names = await readdir(join(home, 'jars')).catch(() => []);
  for (const name of names) {
    const version = /^spark-core_[\d.]+-(\d[\w.-]*)\.jar$/.exec(name)?.[1];
    if (version !== undefined) return version;
  }
  return undefined;
}
