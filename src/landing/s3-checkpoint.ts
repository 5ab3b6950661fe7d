import { seal, unseal, type CheckpointedSource } from './checkpoint.ts';
import type { ScannerState } from './scanner-state.ts';
import type { TallyState } from './tally.ts';

/** An upload that can be gone on with; which parts there are, S3 itself knows. */
export interface S3Checkpoint extends CheckpointedSource {
  uploadId: string;
  partSizeBytes: number;
  /** What is known at the newest parts' ends, the oldest first; never none. */
  boundaries: TallyState[];
  /** The object's ETag to be, once its parts are being made one: its upload may be gone, and the object there. */
  completingEtag?: string;
}

const FORMAT = 'longhaul/s3-checkpoint/1';

/**
 * The boundaries differ in little, and their lists only grow: of all but the newest, only what differs is written,
 * and of lists of numbers that the newest goes on with, only how long they were.
 */
interface Packed extends Omit<S3Checkpoint, 'boundaries'> {
  newest: TallyState;
  earlier: { bytes: number; crc32: number; scanner: Record<string, unknown> }[];
}

export function encodeCheckpoint(checkpoint: S3Checkpoint): string {
  const { boundaries, ...rest } = checkpoint;
  const newest = boundaries.at(-1);
  if (!newest) throw new Error('A checkpoint without a boundary.');
  const earlier = boundaries.slice(0, -1).map(({ bytes, crc32, scanner }) => ({
    bytes,
    crc32,
    scanner: differences(scanner, newest.scanner),
  }));
  const packed: Packed = { ...rest, newest, earlier };
  return seal(FORMAT, packed);
}

/** Undefined for what is damaged or of another format. */
export function decodeCheckpoint(sealed: Buffer | undefined): S3Checkpoint | undefined {
  const packed = unseal(FORMAT, sealed) as Packed | undefined;
  if (!packed) return undefined;
  const { newest, earlier, ...rest } = packed;
  const boundaries = earlier.map(({ bytes, crc32, scanner }) => ({
    bytes,
    crc32,
    dialect: newest.dialect,
    scanner: restored(scanner, newest.scanner),
  }));
  return { ...rest, boundaries: [...boundaries, newest] };
}

/** Stands for the first so many of the newest's numbers. */
interface Prefix {
  firstOfNewest: number;
}

function differences(scanner: ScannerState, newest: ScannerState): Record<string, unknown> {
  const others = newest as unknown as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(scanner)) {
    const other = others[name];
    if (isGrown(value, other)) result[name] = { firstOfNewest: value.length } satisfies Prefix;
    else if (JSON.stringify(value) !== JSON.stringify(other)) result[name] = value;
  }
  return result;
}

function restored(differences: Record<string, unknown>, newest: ScannerState): ScannerState {
  const scanner: Record<string, unknown> = structuredClone({ ...newest });
  for (const [name, value] of Object.entries(differences)) {
    const list = scanner[name];
    scanner[name] =
      isPrefix(value) && Array.isArray(list) ? list.slice(0, value.firstOfNewest) : value;
  }
  return scanner as unknown as ScannerState;
}

function isGrown(value: unknown, newest: unknown): value is number[] {
  if (!isNumbers(value) || !isNumbers(newest)) return false;
  return value.every((each, index) => each === newest[index]);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'number');
}

function isPrefix(value: unknown): value is Prefix {
  return typeof value === 'object' && value !== null && 'firstOfNewest' in value;
}
