import { chmod, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { LonghaulError } from '../model/errors.ts';
import { parseLeftoverFile } from '../model/layout.ts';
import { storageError } from './disk-errors.ts';
import { locationBlocks, type Location } from './location.ts';
import { replaceFile, syncPath } from './replace-file.ts';
import type { Store, StoredObject, StoredRange } from './store.ts';

/** A zone of the lake as a folder. `link(2)` makes put-if-absent atomic; a rename would overwrite. */
export class DiskStore implements Store {
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  uri(key: string): string {
    const path = resolve(this.root, ...key.split('/'));
    if (path !== this.root && !path.startsWith(this.root + sep)) {
      throw new LonghaulError('NAME_INVALID', `The key ${JSON.stringify(key)} leaves the lake.`);
    }
    return path;
  }

  location(key: string): Location {
    return { kind: 'disk', path: this.uri(key) };
  }

  async get(key: string): Promise<Buffer | undefined> {
    return await readFile(this.uri(key)).catch(undefinedIfAbsent);
  }

  async putIfAbsent(key: string, body: string | Uint8Array): Promise<'created' | 'exists'> {
    const path = this.uri(key);
    try {
      await replaceFile(path, body, await folderFor(path), link);
      return 'created';
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return 'exists';
      throw error;
    }
  }

  async put(key: string, body: string | Uint8Array): Promise<void> {
    const path = this.uri(key);
    await replaceFile(path, body, await folderFor(path));
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const entries = await readdir(this.uri(folder), { withFileTypes: true }).catch(
      undefinedIfAbsent,
    );
    for (const entry of entries ?? []) {
      const key = folder + entry.name;
      if (!key.startsWith(prefix)) continue;
      if (entry.isDirectory()) {
        yield* this.list(`${key}/`);
      } else {
        const found = await stat(this.uri(key)).catch(undefinedIfAbsent);
        if (found) yield { key, bytes: found.size, modifiedAtMs: found.mtimeMs };
      }
    }
  }

  async folders(prefix: string): Promise<string[]> {
    const entries = await readdir(this.uri(prefix), { withFileTypes: true }).catch(
      undefinedIfAbsent,
    );
    return (entries ?? []).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  }

  async readRange(key: string, start: number, end: number): Promise<Buffer> {
    const file = await open(this.uri(key));
    try {
      const buffer = Buffer.alloc(end - start);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async size(key: string): Promise<number | undefined> {
    return (await stat(this.uri(key)).catch(undefinedIfAbsent))?.size;
  }

  async copyRange(range: StoredRange, to: string, signal?: AbortSignal): Promise<void> {
    const path = this.uri(to);
    const output = await open(path, 'wx', await folderFor(path));
    try {
      const { location, start, end } = range;
      for await (const block of locationBlocks(location, { start, end, signal })) {
        await output.appendFile(block);
      }
    } catch (error) {
      await rm(path, { force: true });
      throw storageError(error, path);
    } finally {
      await output.close();
    }
  }

  async putFile(key: string, path: string): Promise<void> {
    try {
      await mkdir(dirname(this.uri(key)), { recursive: true });
      // The writer's bytes are not durable before this.
      await syncPath(path);
      await rename(path, this.uri(key));
      await syncPath(dirname(this.uri(key)));
    } catch (error) {
      throw storageError(error, this.uri(key));
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.uri(key), { force: true });
  }

  async deletePrefix(prefix: string): Promise<void> {
    if (prefix.endsWith('/')) await rm(this.uri(prefix), { force: true, recursive: true });
    else for await (const { key } of this.list(prefix)) await this.delete(key);
  }

  async deleteUnfinished(
    prefix: string,
    isDead: (kind: 'partial' | 'temporary', key: string) => boolean,
  ): Promise<void> {
    for await (const { key } of this.list(prefix)) {
      const kind = parseLeftoverFile('converted', key)?.kind;
      if (kind === undefined || kind === 'checkpoint') continue;
      if (isDead(kind, key.replace(/\.([^/]+)\.partial$/, '$1'))) await this.delete(key);
    }
  }
}

/** Makes the file's folder. @returns the mode of the file. */
async function folderFor(path: string): Promise<number> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await modeOfFilesIn(dirname(path));
  } catch (error) {
    throw storageError(error, path);
  }
}

const PRIVATE_FILE = 0o600;

/** Whether only the owner can read the file. In S3 the bucket's policy decides, so the answer is false. */
export async function isPrivate(location: Location): Promise<boolean> {
  return location.kind === 'disk' && isOwnersOnly(await stat(location.path));
}

/** Lets only this process's user read the folder's own files, and files written there later. S3 needs nothing. */
export async function makePrivate(folder: Location): Promise<void> {
  if (folder.kind !== 'disk') return;
  const { path } = folder;
  try {
    await mkdir(path, { recursive: true });
    await chmod(path, 0o700);
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isFile()) await chmod(join(path, entry.name), PRIVATE_FILE);
    }
  } catch (error) {
    throw storageError(error, path);
  }
}

/** Mode of a new file: as private as its folder. The process's umask also applies. */
export async function modeOfFilesIn(folder: string): Promise<number> {
  return isOwnersOnly(await stat(folder)) ? PRIVATE_FILE : 0o666;
}

function isOwnersOnly({ mode }: { mode: number }): boolean {
  return (mode & 0o077) === 0;
}

function undefinedIfAbsent(error: unknown): undefined {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw error;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
