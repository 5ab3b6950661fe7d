import { access } from 'node:fs/promises';

/** Those of the folders for fetched programs that are there: a look makes none. */
export async function foldersThere(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    const isThere = await access(folder).then(
      () => true,
      () => false,
    );
    if (isThere) found.push(folder);
  }
  return found;
}
