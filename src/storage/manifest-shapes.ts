import { z } from 'zod';
import type { CsvReading, CsvScan, Dialect, Positions } from '../model/scan.ts';
import { ENGINES } from '../model/dataset.ts';
import type { Ledger } from '../model/ledger.ts';
import {
  PORTAL_KINDS,
  type Ending,
  type LandingManifest,
  type RawRemoval,
  type RevisionAt,
  type SnapshotManifest,
  type SourceEntry,
  type Tombstone,
  type PortalTable,
} from '../model/manifest.ts';
import { COLUMN_TYPES, type Schema } from '../model/schema.ts';

/*
 * The forms of files that Longhaul reads back from the lake. The types are in src/model, because workflows use them
 * without zod. Every object is strict: an unknown field is damage, or of a newer version, and is an error.
 */

const count = z.int().nonnegative();
/** Position of a byte. */
const offset = count.optional();
const encoding = z.enum(['utf-8', 'windows-1252']);
const yes = z.literal(true).optional();

const PLACES = z.strictObject({
  count,
  examples: z.array(
    z.strictObject({ record: count, line: count, byteOffset: count, fields: count.optional() }),
  ),
}) satisfies z.ZodType<Positions>;

const DIALECT = z.strictObject({
  delimiter: z.string().length(1),
  delimiterFrom: z.enum(['sep=', 'head']).optional(),
  quote: z.literal('"'),
  bomBytes: count,
  sepLineBytes: count.optional(),
  header: z.literal(false).optional(),
}) satisfies z.ZodType<Dialect>;

const SCAN = z.strictObject({
  dialect: DIALECT,
  header: z.array(z.string()),
  headerLine: count.optional(),
  records: count,
  blankLines: count,
  lineEnds: z.strictObject({ crlf: count, lf: count, cr: count }),
  quotedBreaks: count,
  bareQuotes: PLACES,
  maxRecordBytes: count,
  encoding: z.strictObject({
    ascii: z.boolean(),
    firstInvalidUtf8: offset,
    firstMultibyteUtf8: offset,
    firstUndefinedWindows1252: offset,
    firstUnlikelyWindows1252: offset,
  }),
  splits: z.array(count),
  splitRecords: z.array(count),
  problems: z.array(
    PLACES.extend({
      kind: z.enum(['ragged', 'quoting', 'unclosed-quote', 'nul', 'record-too-long']),
    }),
  ),
}) satisfies z.ZodType<CsvScan>;

const byColumn = z.record(z.string(), count).optional();
const PORTAL = z.strictObject({
  kind: z.enum(PORTAL_KINDS),
  service: z.string(),
  isCanonical: yes,
  records: count.optional(),
  objectIdColumn: z.string().optional(),
  domains: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  emptyTexts: byColumn,
  notNumbers: byColumn,
  dateZone: z.string().optional(),
}) satisfies z.ZodType<PortalTable>;

const VALIDATOR = z.strictObject({
  etag: z.string().optional(),
  lastModified: z.string().optional(),
});

/** Version of a landed file: its size, its checksum, and the validator that the publisher gave. */
const VERSION = { bytes: count, checksum: z.string(), validator: VALIDATOR };

export const LANDING = z.strictObject({
  format: z.literal('longhaul/landing/1'),
  dataset: z.string(),
  ingestDate: z.iso.date(),
  source: z.string(),
  url: z.string(),
  rawKey: z.string(),
  ...VERSION,
  landedAt: z.iso.datetime(),
  scan: SCAN,
  portal: PORTAL.optional(),
}) satisfies z.ZodType<LandingManifest>;

const CSV_READING = z.strictObject({
  delimiter: z.string().length(1),
  delimiterFrom: z.enum(['declared', 'sep=', 'found']),
  encoding,
  encodingFrom: z.enum(['declared', 'byte order mark', 'found']),
  header: z.boolean(),
  bareQuotes: PLACES,
}) satisfies z.ZodType<CsvReading>;

const SCHEMA = z.strictObject({
  columns: z.array(
    z.strictObject({
      name: z.string(),
      publisherName: z.string(),
      type: z.enum(COLUMN_TYPES),
      format: z.string().optional(),
      empty: yes,
      beyondDouble: yes,
      declared: yes,
    }),
  ),
}) satisfies z.ZodType<Schema>;

const LEDGER = { records: count, rows: count, rejected: count };

export const SOURCE_ENTRY = z.strictObject({
  id: z.string(),
  url: z.string(),
  status: z.enum(['converted', 'unchanged', 'missing']),
  ...VERSION,
  ...LEDGER,
  rawKey: z.string(),
  encoding,
  csv: CSV_READING.optional(),
  dialect: DIALECT.optional(),
  blankLines: count,
  engine: z.enum(ENGINES),
  schema: SCHEMA,
  portal: PORTAL.optional(),
  parquet: z.array(
    z.strictObject({ key: z.string(), rows: count, bytes: count, checksum: z.string() }),
  ),
  settingsKey: z.string(),
}) satisfies z.ZodType<SourceEntry>;

export const SNAPSHOT = z.strictObject({
  format: z.literal('longhaul/snapshot/1'),
  dataset: z.string(),
  ingestDate: z.iso.date(),
  revision: z.int().positive(),
  status: z.enum(['published', 'unchanged']),
  runId: z.string(),
  publishedAt: z.iso.datetime(),
  sources: z.array(SOURCE_ENTRY),
  ledger: z.strictObject(LEDGER) satisfies z.ZodType<Ledger>,
}) satisfies z.ZodType<SnapshotManifest>;

const REVISION = {
  ingestDate: z.iso.date(),
  revision: z.int().positive(),
};

export const TOMBSTONE = z.strictObject({
  format: z.literal('longhaul/unpublished/1'),
  dataset: z.string(),
  ...REVISION,
  reason: z.string(),
  by: z.string(),
  unpublishedAt: z.iso.datetime(),
  because: (z.strictObject(REVISION) satisfies z.ZodType<RevisionAt>).optional(),
}) satisfies z.ZodType<Tombstone>;

export const ENDING = z.strictObject({
  format: z.literal('longhaul/ended/1'),
  dataset: z.string(),
  ...REVISION,
  keepDays: count,
  endedAt: z.iso.datetime(),
}) satisfies z.ZodType<Ending>;

export const RAW_REMOVAL = z.strictObject({
  format: z.literal('longhaul/raw-removed/1'),
  dataset: z.string(),
  rawKey: z.string(),
  bytes: count,
  checksum: z.string(),
  keepDays: count,
  removedAt: z.iso.datetime(),
}) satisfies z.ZodType<RawRemoval>;

/** The result of the inspection. It is kept in staging for the later steps, because it is too long for a history. */
export const STAGED_SCHEMA = z.strictObject({ encoding, csv: CSV_READING, schema: SCHEMA });
export type StagedSchema = z.infer<typeof STAGED_SCHEMA>;

/**
 * Written when all parts of an attempt are complete. The parts have their final keys in the converted zone, in the
 * source's order, but nothing names them yet.
 */
export const STAGED_PARTS = z.strictObject({ parts: z.array(z.string()), schema: SCHEMA });
export type StagedParts = z.infer<typeof STAGED_PARTS>;

const WRITTEN_PARTS = z.array(z.strictObject({ name: z.string(), rows: count, bytes: count }));

/** Rows of each file on HDFS. A program that did not write the file has read them from its footer. */
export const HDFS_ROWS = z.strictObject({
  format: z.literal('longhaul/hdfs-rows/1'),
  parts: WRITTEN_PARTS,
});
export type HdfsRows = z.infer<typeof HDFS_ROWS>;

/** The result that convert.py writes on a cluster. */
export const SPARK_RESULT = z.union([
  z.strictObject({ format: z.literal('longhaul/spark-result/1'), parts: WRITTEN_PARTS }),
  z.strictObject({
    format: z.literal('longhaul/spark-result/1'),
    error: z.strictObject({ kind: z.string(), message: z.string() }),
  }),
]);
