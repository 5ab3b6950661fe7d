import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { printable } from '../model/names.ts';
import { locate, type LocateOptions } from './locate.ts';
import { readPin, pypiInstaller } from './tools-folder.ts';

const FILE_NAME = 'httpfs.duckdb_extension';

export interface HttpfsOptions extends LocateOptions {
  /** DuckDB's own folder. Default: `.duckdb` in this user's home. */
  duckDbHome?: string;
}

/**
 * Finds the httpfs extension for the version of DuckDB: DUCKDB_HTTPFS (`given`), one that was fetched before, or
 * DuckDB's own copy (`INSTALL httpfs`). If there is none, fetches it.
 * @throws LonghaulError PROGRAM_NOT_INSTALLED with each place tried.
 */
export async function locateHttpfs({
  duckDbHome = join(homedir(), '.duckdb'),
  ...options
}: HttpfsOptions = {}): Promise<string> {
  const pin = await readPin('httpfs', 'pypi');
  const ofDuckDb = join(duckDbHome, 'extensions', `v${pin.version}`, duckDbPlatform());
  const wanted = {
    title: 'DuckDB extension httpfs',
    setting: 'DUCKDB_HTTPFS',
    code: 'PROGRAM_NOT_INSTALLED',
    hint:
      `Run \`INSTALL httpfs\` in DuckDB ${pin.version} as this user, or set DUCKDB_HTTPFS to the path of ` +
      `the ${FILE_NAME} of DuckDB ${pin.version}.`,
    fileName: FILE_NAME,
    onPath: false,
    folder: `httpfs-${pin.version}`,
    elsewhere: () => [join(ofDuckDb, FILE_NAME)],
    size: 'about 7 MB',
    installer: pypiInstaller(
      pin,
      `duckdb_extension_httpfs/extensions/v${pin.version}/${FILE_NAME}`,
    ),
    problemWith: async (path: string) => await problemWith(path, pin.version),
  } as const;
  return await locate(wanted, options);
}

/** The name that DuckDB gives its build for this machine. */
function duckDbPlatform(): string {
  const system = { linux: 'linux', darwin: 'osx', win32: 'windows' }[process.platform as string];
  const machine = { x64: 'amd64' }[process.arch as string] ?? process.arch;
  return `${system ?? process.platform}_${machine}`;
}

/** DuckDB loads only an extension for its own version and platform. Both are at the end of the file. */
async function problemWith(path: string, version: string): Promise<string | undefined> {
  const found = await footerOf(path).catch(() => undefined);
  if (!found) return 'is no DuckDB extension';
  const { platform } = found;
  if (found.version !== `v${version}`) {
    return `is of DuckDB ${printable(found.version)}, not v${version}`;
  }
  const fits = platform.startsWith(duckDbPlatform());
  return fits ? undefined : `is for ${printable(platform)}, not ${duckDbPlatform()}`;
}

/** The footer has eight fields of 32 bytes in reverse order (`4`, platform, version, …), and a 256-byte signature. */
async function footerOf(path: string): Promise<{ platform: string; version: string } | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(256), 0, 256, Math.max(0, size - 512));
    const field = (index: number): string =>
      buffer.toString('latin1', 32 * (7 - index), 32 * (8 - index)).replaceAll('\0', '');
    return field(0) === '4' ? { platform: field(1), version: field(2) } : undefined;
  } finally {
    await file.close();
  }
}
