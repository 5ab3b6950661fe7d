import type { Settings } from '../../config/settings.ts';
import { bytesText } from '../../model/texts.ts';
import { LonghaulError } from '../../model/errors.ts';
import { locateHttpfs } from '../../programs/httpfs.ts';
import { locateJava } from '../../programs/java.ts';
import { locateSpark } from '../../programs/spark.ts';
import { freeSpace, nearestThere, tryWriting } from '../../storage/free-space.ts';
import { lookFor, ok, problem, type Finding } from './check.ts';

/** As package.json's `engines` has it. */
const OLDEST = { major: 20, minor: 19 } as const;
/** What releases of the AWS SDK after January 2027 need, as the SDK itself says. */
const AWS_SDK_MAJOR = 22;
const RECOMMENDED_MAJOR = 24;

/** @param version `20.20.2`. */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    const found = `${version} is too old: ${OLDEST.major}.${OLDEST.minor} is the oldest that works`;
    return problem(found, `Install Node ${RECOMMENDED_MAJOR} (https://nodejs.org).`);
  }
  if (major >= RECOMMENDED_MAJOR) return ok(version);
  const awsSdk =
    major < AWS_SDK_MAJOR
      ? `; releases of the AWS SDK after January 2027 need Node ${AWS_SDK_MAJOR} or later`
      : '';
  return ok(`${version} (${RECOMMENDED_MAJOR} is recommended)${awsSdk}`);
}

/** Room for a landing of a few years of a city's files, their Parquet, and DuckDB's temporary files. */
const ENOUGH_BYTES = 5 * 1024 ** 3;
const MAKE_ROOM =
  'Free some space, or set LAKE (with a lake in a bucket, STATE_DIR) to a folder of a larger disk.';

/** The disk of the lake; where that is in a bucket, the disk of the embedded server's state. */
export async function diskFinding({ lake, stateDir }: Settings): Promise<Finding> {
  const wanted = lake.kind === 'disk' ? lake.folder : stateDir;
  // The first command that needs the folder makes it; the doctor does not.
  const folder = await nearestThere(wanted);
  const place = folder === wanted ? wanted : `${wanted} (not there yet; ${folder} is)`;
  try {
    await tryWriting(folder);
  } catch (error) {
    const isFull = error instanceof LonghaulError && error.code === 'DISK_FULL';
    const allow =
      'Set LAKE (or STATE_DIR) to a folder that you may write, or change the rights of this one.';
    const found = `${place} cannot be written: ${(error as Error).message}`;
    return problem(found, isFull ? MAKE_ROOM : allow);
  }
  return spaceFinding((await freeSpace(folder)).bytes, place);
}

export function spaceFinding(freeBytes: number, place: string): Finding {
  const found = `${place} can be written, ${bytesText(freeBytes)} free`;
  if (freeBytes >= ENOUGH_BYTES) return ok(found);
  return problem(`${found}, less than ${bytesText(ENOUGH_BYTES)}`, MAKE_ROOM);
}

const UNUSED = 'Only --engine spark needs it.';

export async function javaFinding({ engine, spark }: Settings): Promise<Finding> {
  const { javaHome: given, searchPath } = spark;
  const unused = (why: string): string => `${why} ${UNUSED}`;
  return await lookFor(engine === 'spark', unused, async () => {
    const { version, path } = await locateJava({ given, searchPath });
    return `${version} (${path})`;
  });
}

export async function sparkFinding({ engine, spark }: Settings): Promise<Finding> {
  const { home: given, searchPath } = spark;
  const isUsed = engine === 'spark';
  const absent = (why: string): string =>
    isUsed ? 'not here yet: the first conversion with Spark fetches it' : `${why} ${UNUSED}`;
  return await lookFor(isUsed && given !== undefined, absent, async () => {
    const { version, home } = await locateSpark({ given, searchPath, installer: 'none' });
    return `${version} (${home})`;
  });
}

export async function httpfsFinding({ duckdb }: Settings): Promise<Finding> {
  const given = duckdb.httpfs;
  const absent = (): string => 'not here yet: the first conversion to S3 fetches it';
  return await lookFor(given !== undefined, absent, async () =>
    locateHttpfs({ given, installer: 'none' }),
  );
}
