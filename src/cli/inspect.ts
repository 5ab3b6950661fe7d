import type { Config } from '../config/load-config.ts';
import type { FileReport, ReportedColumn } from '../conversion/file-report.ts';
import { findSnapshot } from '../lake/catalogue.ts';
import { shownAddress } from '../model/addresses.ts';
import type { DatasetSpec, SourceSpec } from '../model/dataset.ts';
import { exitCodeOf, LonghaulError } from '../model/errors.ts';
import type { SnapshotManifest, SourceEntry } from '../model/manifest.ts';
import { parseDatasetName, printable } from '../model/names.ts';
import { locationBlocks, uriOf } from '../storage/location.ts';
import { openLake } from '../storage/open-lake.ts';
import type { Store } from '../storage/store.ts';
import type { InspectFlags } from './commands/inspect.ts';
import { interruptible, print, type CliContext } from './command.ts';
import { fileText, reportJson } from './inspect-text.ts';
import { reportAsked } from './publisher.ts';
import { addressOf, isPlace } from './targets.ts';
import { localZone } from './text.ts';

/** Many thousands of records of any file, in a few seconds of a slow line. */
const ADDRESS_LIMIT_BYTES = 16 * 1024 * 1024;

/** One file that was read. */
interface Inspected {
  source: string;
  /** The address, or the landed file. */
  from: string;
  /** The day on which the landed file was published. */
  ingestDate?: string;
  report: FileReport;
}

export async function inspectTarget(
  context: CliContext,
  target: string,
  flags: InspectFlags,
): Promise<void> {
  const config = context.loadConfig();
  const inspected = await interruptible(async (signal) => {
    const reading = {
      context,
      config,
      limitBytes: flags.all ? Infinity : ADDRESS_LIMIT_BYTES,
      signal,
    };
    if (!isPlace(target)) return await inspectDataset(reading, parseDatasetName(target), flags);
    if (flags.source !== undefined) {
      throw new LonghaulError('USAGE', '--source goes with a dataset; an address is one source.');
    }
    const address = addressOf(target, config, true);
    const source = { id: 'all', address, optional: false, overrides: {} };
    return [await inspectAddress(reading, source)];
  }, 'Inspecting');
  const [problem] = inspected.flatMap(({ report }) => report.problems);
  // What a run would refuse is a result here, reported whole; the exit code says it too.
  if (problem) context.setExitCode(exitCodeOf(problem.code));
  const files = inspected.map(({ report, ...file }) => ({ ...file, ...reportJson(report) }));
  await print(context, flags, { files }, () =>
    inspected.map((each) => inspectedText(each, context.width)).join('\n\n'),
  );
}

interface Reading {
  context: CliContext;
  config: Config;
  limitBytes: number;
  signal: AbortSignal;
}

/** Each source as it was last published; one that was not, at its address. */
async function inspectDataset(
  reading: Reading,
  name: string,
  flags: InspectFlags,
): Promise<Inspected[]> {
  const { context, config } = reading;
  const spec = config.datasets.find((each) => each.name === name);
  const { raw, converted } = await openLake(config.settings);
  const snapshot = await findSnapshot(converted, name);
  const sources = wantedSources(config, { name, spec, snapshot }, flags.source);
  const inspected: Inspected[] = [];
  for (const source of sources) {
    const entry = snapshot?.sources.find((each) => each.id === source.id);
    context.note(`Reading ${name} ${source.id} …`);
    const landed = entry && (await inspectLanded(reading, raw, source, entry));
    inspected.push(
      landed && snapshot
        ? { ...landed, ingestDate: snapshot.ingestDate }
        : await inspectAddress(reading, source, spec?.timeZone ?? 'UTC'),
    );
  }
  return inspected;
}

/** Of datasets.yaml, else those that the last published day has. @throws LonghaulError DATASET_UNKNOWN, USAGE. */
function wantedSources(
  { settings, datasets }: Config,
  known: {
    name: string;
    spec: DatasetSpec | undefined;
    snapshot: SnapshotManifest | undefined;
  },
  wanted: string | undefined,
): SourceSpec[] {
  const { name, spec, snapshot } = known;
  const sources =
    spec?.sources ??
    snapshot?.sources.map(({ id, url }) => ({ id, address: url, optional: false, overrides: {} }));
  if (!sources) {
    const there = datasets.map((each) => each.name).join(', ') || 'none';
    const file = printable(settings.datasetsFile);
    const what = `No dataset ${name} is in ${file}, and none is published; there: ${there}.`;
    throw new LonghaulError('DATASET_UNKNOWN', what);
  }
  if (wanted === undefined) return sources;
  const found = sources.filter(({ id }) => id === wanted);
  if (found.length > 0) return found;
  const ids = sources.map(({ id }) => id).join(', ');
  throw new LonghaulError(
    'USAGE',
    `${name} has no source ${JSON.stringify(printable(wanted))}; its sources are ${ids}.`,
  );
}

/** Undefined where the lake does not have the file any more. */
async function inspectLanded(
  { signal }: Reading,
  raw: Store,
  source: SourceSpec,
  entry: SourceEntry,
): Promise<Inspected | undefined> {
  const { rawKey, bytes, portal } = entry;
  if (rawKey === '' || (await raw.size(rawKey)) !== bytes) return undefined;
  const { reportFile } = await import('../conversion/file-report.ts');
  const { CANONICAL } = await import('../landing/portals/canonical-csv.ts');
  const location = raw.location(rawKey);
  const report = await reportFile({
    source: source.id,
    body: locationBlocks(location, { signal }),
    overrides: { ...source.overrides, ...(portal?.isCanonical && CANONICAL) },
    isCanonical: portal?.isCanonical,
    limitBytes: Infinity,
    totalBytes: bytes,
  });
  const columns = report.columns.map((column) => withPublished(column, entry));
  return { source: source.id, from: uriOf(location), report: { ...report, columns } };
}

/** The dataset's table may have another type, or datasets.yaml may have had. */
function withPublished(column: ReportedColumn, { schema }: SourceEntry): ReportedColumn {
  const published = schema.columns.find(({ name }) => name === column.name)?.type;
  if (published === undefined || published === column.type) return column;
  return { ...column, why: `${column.why}; published as ${published}` };
}

/** @param datasetZone of a source that a dataset has. */
async function inspectAddress(
  { config, limitBytes, signal }: Reading,
  source: SourceSpec,
  datasetZone?: string,
): Promise<Inspected> {
  const isNamed = datasetZone !== undefined;
  const timeZone = datasetZone ?? localZone();
  const report = await reportAsked({ config, source, isNamed, timeZone, signal }, limitBytes);
  return { source: source.id, from: shownAddress(source.address), report };
}

function inspectedText({ source, from, ingestDate, report }: Inspected, width: number): string {
  const title = ingestDate === undefined ? from : `${source}, published ${ingestDate}: ${from}`;
  return fileText(title, report, width);
}
