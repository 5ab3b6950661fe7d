import { SCAN_KERNEL } from './scan-kernel.ts';

/** Consecutive records without anything unusual in them. Positions are indexes of the chunk. */
export interface CleanStretch {
  /** Start of the next record. */
  end: number;
  records: number;
  /** Records that end in CRLF; the others end in LF. */
  crlf: number;
  maxRecordBytes: number;
  /** Line breaks inside quotes. */
  quotedBreaks: number;
}

/** The compiled scan-kernel.wat, whose comments say what it does. */
export interface ScanKernel {
  memory: Uint8Array;
  /** The results of `run`, as they are in the memory. */
  results: Int32Array;
  run: (
    from: number,
    end: number,
    stop: number,
    delimiter: number,
    delimitersWanted: number,
  ) => number;
}

/** Address of a piece of the chunk in the kernel's memory: behind the results, and aligned. */
const PIECE_ADDRESS = 64;
/** The kernel reads no fewer bytes. */
const WINDOW_BYTES = 64;
/** If less of a piece is left, the next one is fetched, because a record that ends behind it costs a slow read. */
const MIN_REST_BYTES = 16 * 1024;

/** Finds the clean stretches of one chunk, only during one `push`, because all scanners share the kernel's memory. */
export class CleanRecords {
  readonly #kernel: ScanKernel;
  readonly #chunk: Uint8Array;
  readonly #delimiter: number;
  /** Part of the chunk that is in the kernel's memory. */
  #from = 0;
  #to = 0;

  constructor(kernel: ScanKernel, chunk: Uint8Array, delimiter: number) {
    this.#kernel = kernel;
    this.#chunk = chunk;
    this.#delimiter = delimiter;
  }

  /**
   * @param start start of a record, never before that of an earlier call.
   * @param stop index: the first record that starts there or later is left, clean or not.
   * @param columns number of fields of every clean record.
   * @returns undefined if the first record is not clean, or is not known to be.
   */
  from(start: number, stop: number, columns: number): CleanStretch | undefined {
    if (this.#chunk.length - start < WINDOW_BYTES || stop <= start) return undefined;
    if (this.#to - start < MIN_REST_BYTES && this.#to < this.#chunk.length) this.#fetch(start);
    const { run, results } = this.#kernel;
    const offset = PIECE_ADDRESS - this.#from;
    const until = Math.min(stop, this.#to) + offset;
    const end =
      run(start + offset, this.#to + offset, until, this.#delimiter, columns - 1) - offset;
    if (end === start) return undefined;
    const [records = 0, crlf = 0, maxRecordBytes = 0, quotedBreaks = 0] = results;
    return { end, records, crlf, maxRecordBytes, quotedBreaks };
  }

  #fetch(start: number): void {
    const { memory } = this.#kernel;
    this.#from = start;
    this.#to = Math.min(start + memory.length - PIECE_ADDRESS, this.#chunk.length);
    memory.set(this.#chunk.subarray(start, this.#to), PIECE_ADDRESS);
  }
}

/** The parts of WebAssembly that are used here. The types of Node.js 20 lack them. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: object };
};

const RESULTS = 4;

let shared: ScanKernel | null | undefined;

/** The process's only kernel; null if the processor has no SIMD for WebAssembly. */
export function scanKernel(): ScanKernel | null {
  if (shared === undefined) shared = instantiate();
  return shared;
}

function instantiate(): ScanKernel | null {
  try {
    const module = new WebAssembly.Module(Buffer.from(SCAN_KERNEL, 'base64'));
    const { memory, run } = new WebAssembly.Instance(module).exports as {
      memory: { buffer: ArrayBuffer };
      run: ScanKernel['run'];
    };
    return {
      memory: new Uint8Array(memory.buffer),
      results: new Int32Array(memory.buffer, 0, RESULTS),
      run,
    };
  } catch {
    return null;
  }
}
