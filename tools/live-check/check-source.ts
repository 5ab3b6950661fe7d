import { HEAD_BYTES } from '../../src/csv/dialect.ts';
import { probe } from '../../src/landing/probe.ts';
import { describeSource, openSource, type OpenRequest } from '../../src/landing/source.ts';
import type { SourceSpec } from '../../src/model/dataset.ts';
import { LonghaulError } from '../../src/model/errors.ts';
import type { Fact } from './denver-facts.ts';

/** Below this share of the recorded number, records are missing. A data set in use does not shrink so much. */
const LEAST_SHARE = 1 / 2;

/** The present state of a source. */
interface Seen {
  reads: 'file' | 'pages';
  service: string;
  columns: Record<string, string>;
  records?: number;
  bytes?: number;
  changedAt?: string;
}

export interface Checked {
  seen?: Seen;
  /** Differences with which a run would fail, or would have less than before. */
  broken: string[];
  /** Differences from the record that do no harm. */
  newer: string[];
}

/** Requests one source as a run does, but only its first records. */
export async function checkSource(
  source: SourceSpec,
  fact: Fact | undefined,
  request: OpenRequest,
): Promise<Checked> {
  try {
    const seen = await seenOf(source, request);
    return { seen, ...(fact ? compared(seen, fact) : { broken: [], newer: [] }) };
  } catch (error) {
    if (!(error instanceof LonghaulError)) throw error;
    return { broken: [`${error.code}: ${error.message}`], newer: [] };
  }
}

async function seenOf(source: SourceSpec, request: OpenRequest): Promise<Seen> {
  const described = await describeSource(source, request);
  if (Array.isArray(described)) {
    const tables = described.map((each) => each.address).join(', ');
    throw new LonghaulError('ADDRESS_AMBIGUOUS', `It leads to several tables: ${tables}.`);
  }
  if (described?.reads !== 'pages') return await seenFile(source, request, described?.service);
  const { service, records, changedAt, columns = [] } = described;
  return {
    reads: 'pages',
    service,
    columns: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    ...(records !== undefined && { records }),
    ...(changedAt !== undefined && { changedAt }),
  };
}

/** Uses the probe of a run, which also finds out whether the file is CSV. */
async function seenFile(
  source: SourceSpec,
  request: OpenRequest,
  service = source.address,
): Promise<Seen> {
  const { totalBytes, validator } = await probe(source, {
    http: request.settings,
    addresses: request.policy,
  });
  const names = (await firstLine(source, request)).replace(/^\u00EF\u00BB\u00BF/, '').split(',');
  const { lastModified } = validator;
  return {
    reads: 'file',
    service,
    columns: Object.fromEntries(names.map((name) => [name.replaceAll('"', ''), 'text'])),
    ...(totalBytes !== undefined && { bytes: totalBytes }),
    ...(lastModified !== undefined && { changedAt: lastModified }),
  };
}

/** The first line has the columns' names. Denver's names have no commas and no line breaks. */
async function firstLine(source: SourceSpec, request: OpenRequest): Promise<string> {
  const opened = await openSource(source, { ...request, headBytes: HEAD_BYTES });
  let head = '';
  try {
    for await (const piece of opened.body) {
      head += piece.toString('latin1');
      if (head.includes('\n') || head.length > HEAD_BYTES) break;
    }
    return head.split(/\r?\n/, 1)[0] ?? '';
  } finally {
    await opened.close();
  }
}

function compared(seen: Seen, fact: Fact): Omit<Checked, 'seen'> {
  const broken: string[] = [];
  const newer: string[] = [];
  if (seen.reads !== fact.reads) newer.push(`is read as ${seen.reads}, was read as ${fact.reads}`);
  const [now, before] = [seen.records, fact.records];
  if (now !== undefined && before !== undefined && now !== before)
    (now < before * LEAST_SHARE ? broken : newer).push(`${now} records, were about ${before}`);
  // A file has no types, and other names than a layer. Columns are compared only if both are of one kind.
  if (seen.reads !== fact.reads || !fact.columns) return { broken, newer };
  for (const [name, type] of Object.entries(fact.columns)) {
    const found = seen.columns[name];
    if (found === undefined) broken.push(`has no column ${name} any more`);
    else if (found !== type) broken.push(`column ${name} is ${found}, was ${type}`);
  }
  for (const name of Object.keys(seen.columns))
    if (!(name in fact.columns)) newer.push(`has the new column ${name}`);
  return { broken, newer };
}
