import { isThere } from '../../programs/tools-folder.ts';

/** Those of the folders for fetched programs that are there: a look makes none. */
export async function foldersThere(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) if (await isThere(folder)) found.push(folder);
  return found;
}
