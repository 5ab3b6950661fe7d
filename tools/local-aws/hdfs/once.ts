import { execFile } from 'node:child_process';
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isThere, makeFolderWhole, packageToolsDir } from '../../../src/programs/tools-folder.ts';

const run = promisify(execFile);

/**
 * Makes the name folder of a new, empty HDFS: formatted once for each Hadoop, by a JVM of its own, and copied from then on.
 * Each has an identity of its own, so that no DataNode takes one for another.
 * @param jars the folder of Hadoop's.
 * @param format formats what will be `nameFolder`. Its error is the caller's.
 */
export async function makeNameFolder(
  nameFolder: string,
  jars: string,
  format: () => Promise<void>,
  toolsDir = packageToolsDir(),
): Promise<void> {
  const made = await placeOf('name', jars, toolsDir);
  if (await isThere(made)) {
    await cp(made, nameFolder, { recursive: true });
    return await giveIdentity(nameFolder);
  }
  await format();
  // Where `.tools` cannot be written, the next HDFS is formatted too.
  await makeFolderWhole(made, async (scratch) => {
    const copy = join(scratch, 'name');
    await cp(nameFolder, copy, { recursive: true });
    return copy;
  }).catch(() => undefined);
}

/** As `NameNode -format` makes them: org.apache.hadoop.hdfs.server.namenode.NNStorage. */
async function giveIdentity(nameFolder: string): Promise<void> {
  const path = join(nameFolder, 'current', 'VERSION');
  const version = await readFile(path, 'utf8');
  const pool = `BP-${randomInt(2 ** 31)}-127.0.0.1-${Date.now()}`;
  const renewed = version
    .replace(/^clusterID=.*$/m, `clusterID=CID-${randomUUID()}`)
    .replace(/^blockpoolID=.*$/m, `blockpoolID=${pool}`);
  await writeFile(path, renewed);
}

/**
 * A folder for the class path, with the web pages of Hadoop's servers as files: each server would look through the 56 MB of
 * its jar for them at its start, which takes a second or more. Undefined where they cannot be unpacked.
 */
export async function pagesFolder(jars: string): Promise<string | undefined> {
  const made = await placeOf('pages', jars, packageToolsDir());
  try {
    if (!(await isThere(made))) {
      const jar = (await readdir(jars)).find((name) => PAGES_JAR.test(name)) ?? '';
      await makeFolderWhole(made, async (scratch) => {
        await run('python3', ['-c', UNPACK, join(jars, jar), scratch]);
        return scratch;
      });
    }
    return made;
  } catch {
    return undefined;
  }
}

const PAGES_JAR = /^hadoop-client-minicluster-.*\.jar$/;
/** Spark needs Python; a Java need not have `jar`. */
const UNPACK = `
import sys, zipfile
jar, folder = sys.argv[1:]
with zipfile.ZipFile(jar) as files:
    files.extractall(folder, [name for name in files.namelist() if name.startswith("webapps/")])
`;

/** Another Hadoop may have others. */
async function placeOf(what: string, jars: string, toolsDir: string): Promise<string> {
  const names = (await readdir(jars)).toSorted().join('\n');
  const hash = createHash('sha256').update(names).digest('hex').slice(0, HASH_LENGTH);
  return join(toolsDir, `hdfs-${hash}`, what);
}

const HASH_LENGTH = 16;
