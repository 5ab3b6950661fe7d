import { parseIngestDate } from './dates.ts';
import { parseDatasetName, parseSourceId } from './names.ts';

/** Keys that a sweep may remove, recognised by their form alone. Every other key is published, or not Longhaul's. */

export interface DayAt {
  dataset: string;
  ingestDate: string;
}

/** A file that only an unfinished landing, an unfinished part on a disk, or a killed writer leaves. */
export function parseLeftoverFile(
  zone: 'raw' | 'converted',
  key: string,
): (DayAt & { kind: 'partial' | 'checkpoint' | 'temporary' }) | undefined {
  const { day, source, file } = parseDayFile(key) ?? {};
  if (!day || file === undefined) return undefined;
  if (TEMPORARY_NAME.test(file)) return { ...day, kind: 'temporary' };
  const [found, checkpoint] = (zone === 'raw' ? PARTIAL : PARTIAL_PART).exec(file) ?? [];
  if (source === undefined || found === undefined) return undefined;
  return { ...day, kind: checkpoint === undefined ? 'partial' : 'checkpoint' };
}

/** A whole part. Its key does not say whether a manifest names it. */
export function parsePartKey(key: string): DayAt | undefined {
  return parseSourceFile(key, PART_NAME);
}

/** A key that an upload of ours is for: a source's file, under its own name or its partial one. */
export function parseUploadKey(key: string): DayAt | undefined {
  return parseSourceFile(key, FILE_NAME);
}

/** Whose staging a key lies in: the run's id, or the name of a doctor's check. Other folders there are not ours. */
export function parseStagingKey(key: string): string | undefined {
  return STAGING.exec(key)?.[1];
}

/** As `landing/checkpoint.ts` names them. */
const PARTIAL = /^[A-Za-z0-9_-][A-Za-z0-9._-]*\.partial(\.checkpoint\.json)?$/;
/** As `layout.ts` names them. */
const PARTIAL_PART = /^\.part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet\.partial$/;
/** As `storage/disk-store.ts` names them. */
const TEMPORARY_NAME = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;
/** As `layout.ts` makes them: of the run and of the attempt, eight hex digits each. */
const PART_NAME = /^part-[\da-f]{8}-[\da-f]{8}-\d{5,}\.parquet$/;
/** As `fileNameOf` makes them. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** As Temporal numbers its runs, and as `landing/s3-check.ts` names its checks. */
const STAGING = /^_staging\/((?:doctor-)?[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\//;
/** As `layout.ts` makes them. */
const DAY_FILE =
  /^([^/]+)\/ingest_date=([^/]+)\/(?:_r(?:[2-9]|[1-9]\d+)\/)?(?:source=([^/]+)\/(?:_landing(?:[2-9]|[1-9]\d+)\/)?)?([^/]+)$/;

function parseSourceFile(key: string, name: RegExp): DayAt | undefined {
  const { day, source, file = '' } = parseDayFile(key) ?? {};
  return source !== undefined && name.test(file) ? day : undefined;
}

/** Undefined unless the names are ones that this program gives, in the places where it puts them. */
function parseDayFile(
  key: string,
): { day: DayAt; source: string | undefined; file: string } | undefined {
  const [, dataset = '', ingestDate = '', source, file = ''] = DAY_FILE.exec(key) ?? [];
  try {
    parseDatasetName(dataset);
    parseIngestDate(ingestDate);
    if (source !== undefined) parseSourceId(source);
  } catch {
    return undefined;
  }
  return { day: { dataset, ingestDate }, source, file };
}
