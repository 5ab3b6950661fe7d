import { parseIngestDate } from './dates.ts';
import { parseDatasetName, parseSourceId } from './names.ts';

/** What of the lake a sweep may touch, told by the key alone. Every other key is somebody else's, or published. */

export interface DayAt {
  dataset: string;
  ingestDate: string;
}

export type LeftoverFile = DayAt &
  /** `wholeKey` is the landing or part that they would have become. */
  ({ kind: 'partial' | 'checkpoint'; wholeKey: string } | { kind: 'temporary' });

/** A file of the raw zone that only an unfinished landing or a killed writer leaves. */
export function parseRawLeftover(key: string): LeftoverFile | undefined {
  const temporary = parseTemporary(key);
  if (temporary) return temporary;
  const [, wholeKey = '', checkpoint] = PARTIAL.exec(key) ?? [];
  const day = parseSourceFile(wholeKey);
  return day && { ...day, kind: checkpoint ? 'checkpoint' : 'partial', wholeKey };
}

/** A file of the converted zone on a disk that only a killed writer leaves. */
export function parseConvertedLeftover(key: string): LeftoverFile | undefined {
  const temporary = parseTemporary(key);
  if (temporary) return temporary;
  const [, folder = '', name = ''] = PARTIAL_PART.exec(key) ?? [];
  const wholeKey = folder + name;
  const day = parsePartKey(wholeKey);
  return day && { ...day, kind: 'partial', wholeKey };
}

/** A whole part. Whether something names it, its key does not tell. */
export function parsePartKey(key: string): DayAt | undefined {
  const at = parseDayFile(key);
  if (at?.source === undefined || !PART_NAME.test(at.file)) return undefined;
  return { dataset: at.dataset, ingestDate: at.ingestDate };
}

/** A file that a killed writer on a disk was about to give its name; both zones have them. */
export function parseTemporary(key: string): (DayAt & { kind: 'temporary' }) | undefined {
  const at = parseDayFile(key);
  if (!at || !TEMPORARY_NAME.test(at.file)) return undefined;
  return { dataset: at.dataset, ingestDate: at.ingestDate, kind: 'temporary' };
}

/** A key that an upload of ours is for: a source's file, under its own name or its partial one. */
export function parseUploadKey(key: string): (DayAt & { rawKey: string }) | undefined {
  const rawKey = key.replace(/\.partial$/, '');
  const day = parseSourceFile(rawKey);
  return day && { ...day, rawKey };
}

/** Whose staging a key lies in: the run's id, or the name of a doctor's trial. Other folders there are not ours. */
export function parseStagingKey(key: string): string | undefined {
  const owner = /^_staging\/([^/]+)\//.exec(key)?.[1];
  return owner !== undefined && STAGING_OWNER.test(owner) ? owner : undefined;
}

/** As `landing/checkpoint.ts` names them. */
const PARTIAL = /^(.+)\.partial(\.checkpoint\.json)?$/;
/** As `layout.ts` names them. */
const PARTIAL_PART = /^(.+\/)\.([^/]+)\.partial$/;
/** As `storage/disk-store.ts` names them. */
const TEMPORARY_NAME = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;
/** As `layout.ts` makes them: of the run and of the attempt, eight hex digits each. */
const PART_NAME = /^part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet$/;
/** As `fileNameOf` makes them. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** As Temporal numbers its runs, and as `landing/s3-trial.ts` names its trials. */
const STAGING_OWNER = /^(?:doctor-)?[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

function parseSourceFile(key: string): DayAt | undefined {
  const at = parseDayFile(key);
  if (at?.source === undefined || !FILE_NAME.test(at.file)) return undefined;
  return { dataset: at.dataset, ingestDate: at.ingestDate };
}

/** As `layout.ts` makes them. */
const DAY_FILE =
  /^([^/]+)\/ingest_date=([^/]+)\/(?:_r(?:[2-9]|[1-9]\d+)\/)?(?:source=([^/]+)\/(?:_landing(?:[2-9]|[1-9]\d+)\/)?)?([^/]+)$/;

/** Undefined unless the names are ones that this program gives, in the places where it puts them. */
function parseDayFile(
  key: string,
): (DayAt & { source: string | undefined; file: string }) | undefined {
  const [, dataset = '', ingestDate = '', source, file = ''] = DAY_FILE.exec(key) ?? [];
  try {
    parseDatasetName(dataset);
    parseIngestDate(ingestDate);
    if (source !== undefined) parseSourceId(source);
  } catch {
    return undefined;
  }
  return { dataset, ingestDate, source, file };
}
