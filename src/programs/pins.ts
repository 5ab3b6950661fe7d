import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LonghaulError } from '../model/errors.ts';
import { PACKAGE_ROOT } from './tools-folder.ts';

/** An outside program at one version. */
export interface Pin {
  /** What `origin` calls it: a wheel's name, a Go package's path, a Maven group. */
  name: string;
  /** Without a `v`. */
  version: string;
}

/**
 * The one place where versions of outside programs are pinned is `tools/versions.json`.
 * @param origin where it is fetched from: the registry's key in that file.
 */
export async function readPin(program: string, origin: 'pypi' | 'go' | 'maven'): Promise<Pin> {
  const path = join(PACKAGE_ROOT, 'tools', 'versions.json');
  const pins = JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>;
  const { [origin]: name, version } = pins[program] ?? {};
  if (typeof name === 'string' && typeof version === 'string') return { name, version };
  throw new LonghaulError('INTERNAL', `${path} does not pin ${program}.`);
}
