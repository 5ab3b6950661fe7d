import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, createFile, readText, replaceFile } from './state-files.ts';

/** Where the generations of a lock lie. Every operation is atomic. */
export interface LockFiles {
  /** For messages. */
  name: string;
  pathOf(generation: number): string;
  list(): Promise<number[]>;
  /** Undefined where there is no such generation. */
  read(generation: number): Promise<string | undefined>;
  /** False where it exists. */
  create(generation: number, body: string): Promise<boolean>;
  replace(generation: number, body: string): Promise<void>;
  /** No error where there is no such generation. */
  remove(generation: number): Promise<void>;
}

export function diskLockFiles(folder: string): LockFiles {
  const pathOf = (generation: number): string => join(folder, `lock.${generation}`);
  return {
    name: folder,
    pathOf,
    list: async () => (await namesIn(folder)).flatMap(generationOf),
    read: async (generation) => await readText(pathOf(generation)),
    create: async (generation, body) => await createFile(pathOf(generation), body),
    replace: async (generation, body) => await replaceFile(pathOf(generation), body),
    remove: async (generation) => await rm(pathOf(generation), { force: true }),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function generationOf(name: string): number[] {
  const match = /^lock\.([1-9]\d{0,14})$/.exec(name);
  return match ? [Number(match[1])] : [];
}
