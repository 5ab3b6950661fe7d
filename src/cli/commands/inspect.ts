import { Command } from 'commander';
import type { Config } from '../../config/load-config.ts';
import type { FileReport, ReportedColumn } from '../../conversion/file-report.ts';
import { findSnapshot } from '../../lake/catalogue.ts';
import { shownAddress } from '../../model/addresses.ts';
import type { SourceSpec } from '../../model/dataset.ts';
import { exitCodeOf, LonghaulError } from '../../model/errors.ts';
import type { SnapshotManifest, SourceEntry } from '../../model/manifest.ts';
import { parseDatasetName, printable } from '../../model/names.ts';
import { bytesText, countText } from '../../model/texts.ts';
import { locationBlocks, uriOf } from '../../storage/location.ts';
import { openLake } from '../../storage/open-lake.ts';
import type { Store } from '../../storage/store.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { errorObject, errorText } from '../errors.ts';
import { addressOf, isPlace } from '../targets.ts';
import { factLines, localZone, sideBySide, wrapped, type Fact } from '../text.ts';

/** Enough for many thousands of records. A slow line loads it in a few seconds. */
const ADDRESS_LIMIT_BYTES = 16 * 1024 * 1024;

interface InspectFlags extends Flags {
  all?: boolean;
  source?: string;
}

export function inspectCommand(context: CliContext): Command {
  const command = new Command('inspect')
    .summary('how a file is read and typed, and why')
    .description(
      'Shows delimiter, encoding, header and line ends of a CSV file with the evidence, and for each column its type and ' +
        'the values that decide it. Of an address it reads the first 16 MiB; of a dataset, each source as it was last ' +
        'published, else at its address. Nothing is written.',
    )
    .argument(
      '<address|dataset>',
      'a name of datasets.yaml or of a published dataset, a URL, or a CSV file',
    )
    .option('--all', 'read all of an address, not its start alone')
    .option('--source <id>', 'one source of the dataset only')
    .action(async (target: string, flags: InspectFlags) => await inspect(context, target, flags));
  return examples(command, [
    'inspect https://example.com/trees.csv',
    'inspect ./trees.csv --all',
    'inspect denver-311 --source 2015',
    'inspect denver-311 --json',
  ]);
}

interface Inspected {
  source: string;
  /** Address of the source, or URI of the landed file. */
  from: string;
  /** Ingest date of the snapshot that has the landed file. */
  ingestDate?: string;
  report: FileReport;
}

async function inspect(context: CliContext, target: string, flags: InspectFlags): Promise<void> {
  const config = context.loadConfig();
  const inspected = await interruptible(async (signal) => {
    const reading = { context, config, flags, signal };
    if (!isPlace(target)) return await inspectDataset(reading, parseDatasetName(target));
    if (flags.source !== undefined) {
      throw new LonghaulError('USAGE', '--source goes with a dataset; an address is one source.');
    }
    const address = addressOf(target, config, true);
    const source = { id: 'all', address, optional: false, overrides: {} };
    return [await inspectAddress(reading, source)];
  }, 'Inspecting');
  const [problem] = inspected.flatMap(({ report }) => report.problems);
  // If a run would refuse the file, that is a result of this command, not an error. The exit code reports it too.
  if (problem) context.setExitCode(exitCodeOf(problem.code));
  const files = inspected.map(({ report, ...file }) => ({ ...file, ...reportJson(report) }));
  await print(context, flags, { files }, () =>
    inspected.map((each) => inspectedText(each, context.width)).join('\n\n'),
  );
}

interface Reading {
  context: CliContext;
  config: Config;
  flags: InspectFlags;
  signal: AbortSignal;
}

/** Reads the last published file of each source. If the lake has none, reads the address. */
async function inspectDataset(reading: Reading, name: string): Promise<Inspected[]> {
  const { context, config } = reading;
  const { raw, converted } = await openLake(config.settings);
  const snapshot = await findSnapshot(converted, name);
  const inspected: Inspected[] = [];
  for (const source of wantedSources(reading, name, snapshot)) {
    const entry = snapshot?.sources.find((each) => each.id === source.id);
    context.note(`Reading ${name} ${source.id} …`);
    const landed = entry && (await inspectLanded(reading, raw, source, entry));
    const timeZone = config.datasets.find((each) => each.name === name)?.timeZone ?? 'UTC';
    inspected.push(
      landed && snapshot
        ? { ...landed, ingestDate: snapshot.ingestDate }
        : await inspectAddress(reading, source, timeZone),
    );
  }
  return inspected;
}

/** The sources in datasets.yaml, else those of the last published day. */
function wantedSources(
  { config: { settings, datasets }, flags: { source: wanted } }: Reading,
  name: string,
  snapshot: SnapshotManifest | undefined,
): SourceSpec[] {
  const sources =
    datasets.find((each) => each.name === name)?.sources ??
    snapshot?.sources.map(({ id, url }) => ({ id, address: url, optional: false, overrides: {} }));
  if (!sources) {
    const there = datasets.map((each) => each.name).join(', ') || 'none';
    const file = printable(settings.datasetsFile);
    const what = `No dataset ${name} is in ${file}, and none is published; there: ${there}.`;
    throw new LonghaulError('DATASET_UNKNOWN', what);
  }
  const found = sources.filter(({ id }) => wanted === undefined || id === wanted);
  if (found.length > 0) return found;
  const asked = JSON.stringify(printable(wanted ?? ''));
  const ids = sources.map(({ id }) => id).join(', ');
  throw new LonghaulError('USAGE', `${name} has no source ${asked}; its sources are ${ids}.`);
}

/** @returns undefined if the lake does not have the file any more. */
async function inspectLanded(
  { signal }: Reading,
  raw: Store,
  source: SourceSpec,
  entry: SourceEntry,
): Promise<Inspected | undefined> {
  const { rawKey, bytes, portal, schema } = entry;
  if (rawKey === '' || (await raw.size(rawKey)) !== bytes) return undefined;
  const { reportFile } = await import('../../conversion/file-report.ts');
  const { CANONICAL } = await import('../../landing/portals/records.ts');
  const location = raw.location(rawKey);
  const report = await reportFile({
    source: source.id,
    body: locationBlocks(location, { signal }),
    overrides: { ...source.overrides, ...(portal?.isCanonical && CANONICAL) },
    isCanonical: portal?.isCanonical,
    limitBytes: Infinity,
    totalBytes: bytes,
  });
  // The published type differs if the dataset's table has a wider one, or if datasets.yaml had another one then.
  const columns = report.columns.map((column) => {
    const published = schema.columns.find(({ name }) => name === column.name)?.type;
    const isOther = published !== undefined && published !== column.type;
    return isOther ? { ...column, why: `${column.why}; published as ${published}` } : column;
  });
  return { source: source.id, from: uriOf(location), report: { ...report, columns } };
}

/** @param datasetZone time zone of the dataset. Absent if the source is of no dataset. */
async function inspectAddress(
  { config, flags, signal }: Reading,
  source: SourceSpec,
  datasetZone?: string,
): Promise<Inspected> {
  const { reportAsked } = await import('../publisher.ts');
  const isNamed = datasetZone !== undefined;
  const timeZone = datasetZone ?? localZone();
  const asked = { config, source, isNamed, timeZone, signal };
  const report = await reportAsked(asked, flags.all ? Infinity : ADDRESS_LIMIT_BYTES);
  return { source: source.id, from: shownAddress(source.address), report };
}

/** The report as `inspect` and `add` print it in JSON. */
export function reportJson(report: FileReport): object {
  return { ...report, problems: report.problems.map(errorObject) };
}

/** The text for one file: what was read and how, and each column with the values that decide its type. */
function inspectedText({ source, from, ingestDate, report }: Inspected, width: number): string {
  const { bytes, isWhole, totalBytes, records, problems } = report;
  const of = totalBytes === undefined ? '' : ` of ${bytesText(totalBytes)}`;
  const size = bytesText(bytes);
  return [
    printable(ingestDate === undefined ? from : `${source}, published ${ingestDate}: ${from}`),
    `${isWhole ? `the whole file, ${size}` : `the first ${size}${of}`}: ${countText(records)} records`,
    ...factLines(factsOf(report), width),
    '',
    ...columnLines(report, width),
    ...problemLines(problems),
  ].join('\n');
}

export function problemLines(problems: readonly LonghaulError[]): string[] {
  if (problems.length === 0) return [];
  return ['', 'As it is now, a run would stop:', ...problems.map(errorText)];
}

function factsOf({ isCanonical, reading, why, scan, columns }: FileReport): Fact[] {
  const { delimiter, encoding, header, headerLine, bareQuotes } = reading;
  const { lineEnds, quotedBreaks, blankLines, maxRecordBytes, bomBytes } = scan;
  const ends = (['crlf', 'lf', 'cr'] as const)
    .filter((name) => lineEnds[name] > 0)
    .map((name) => `${countText(lineEnds[name])} ${name.toUpperCase()}`);
  const names = header ? `line ${headerLine ?? '?'}` : 'none: the first record is data';
  const form = "Longhaul, of the portal's records: its form is not the publisher's";
  const [bare] = bareQuotes.examples;
  const where = bare ? `; the first in line ${bare.line}, byte ${bare.byteOffset}` : '';
  const kept = `${countText(bareQuotes.count)} inside unquoted fields, kept as text${where}`;
  return [
    ['written by', isCanonical && form],
    ['delimiter', `${JSON.stringify(delimiter)}: ${why.delimiter}`],
    ['encoding', `${encoding}: ${why.encoding}`],
    ['byte order mark', bomBytes > 0 ? `${bomBytes} bytes` : 'none'],
    ['header', `${names}, ${header ? '' : 'of '}${countText(columns.length)} columns`],
    ['line ends', ends.join(', ') || 'none'],
    ['blank lines', blankLines > 0 && countText(blankLines)],
    ['quoted breaks', quotedBreaks > 0 && countText(quotedBreaks)],
    ['bare quotes', bareQuotes.count > 0 && kept],
    ['longest record', bytesText(maxRecordBytes)],
  ];
}

function columnLines({ columns, records }: FileReport, width: number): string[] {
  const heads = sideBySide(
    columns.map((column) => [
      column.name,
      typeText(column),
      `${shareText(column.emptyRecords, records)} empty`,
      column.examples.map((each) => JSON.stringify(each)).join(', '),
    ]),
    width,
  );
  return columns.flatMap(({ why }, index) => [
    heads[index] ?? '',
    ...wrapped(printable(why), width - WHY_INDENT.length).map((line) => WHY_INDENT + line),
  ]);
}

const WHY_INDENT = ' '.repeat(6);

export function typeText({ type, format }: Pick<ReportedColumn, 'type' | 'format'>): string {
  return format === undefined ? type : `${type} ${format}`;
}

/** Rounds a share to tenths of a percent. Only an exact value shows as 0% or 100%. */
function shareText(part: number, all: number): string {
  if (part === 0 || all === 0) return '0%';
  if (part === all) return '100%';
  const percent = (part / all) * 100;
  return `${Math.min(Math.max(percent, 0.1), 99.9).toFixed(1)}%`;
}
