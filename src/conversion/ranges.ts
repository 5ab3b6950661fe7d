import type { CsvScan } from '../model/scan.ts';

/** Whole records of a landed file. */
export interface RecordRange {
  /** Where its first record starts. */
  start: number;
  /** Where the next range's starts, or the file's end. */
  end: number;
  records: number;
  /** All of the file's records. */
  whole: boolean;
}

export interface FileToCut {
  bytes: number;
  scan: Pick<CsvScan, 'records' | 'splits' | 'splitRecords'>;
}

/**
 * A file's records, cut at its `splits` into ranges of about the same size: header and byte order mark are in none.
 * Fewer ranges where there are not so many splits; none where there is no record.
 * @param from the split where the first range starts.
 */
export function cutRecords(
  { bytes, scan: { records, splits, splitRecords } }: FileToCut,
  ranges: number,
  from = splits[0] ?? bytes,
): RecordRange[] {
  if (from >= bytes) return [];
  const starts = [splits.indexOf(from)];
  for (let n = 1; n < ranges; n += 1) {
    const at = nearest(splits, from + ((bytes - from) * n) / ranges);
    if (at > (starts.at(-1) ?? 0)) starts.push(at);
  }
  const recordsBefore = (index: number): number => splitRecords[index] ?? records;
  return starts.map((at, n) => {
    const next = starts[n + 1] ?? splits.length;
    return {
      start: splits[at] ?? bytes,
      end: splits[next] ?? bytes,
      records: recordsBefore(next) - recordsBefore(at),
      whole: at === 0 && next === splits.length,
    };
  });
}

/** The index of the position that is nearest; positions ascend. */
function nearest(positions: readonly number[], wanted: number): number {
  let best = 0;
  for (const [index, position] of positions.entries()) {
    if (Math.abs(position - wanted) < Math.abs((positions[best] ?? 0) - wanted)) best = index;
  }
  return best;
}
