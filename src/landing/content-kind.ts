import { LonghaulError, type ErrorCode } from '../model/errors.ts';
import { printable } from '../model/names.ts';
import { MAX_PORTAL_JSON_BYTES, portalStatusIn } from './http-answers.ts';

/** How much of a publisher's text an error message quotes. */
const SNIPPET_LENGTH = 200;

/** The number of first bytes in which the NULs of UTF-16 and UTF-32 show a pattern. */
const PATTERN_BYTES = 4096;

/** In UTF-16 and UTF-32 text of a Latin script, nearly all characters have their NULs at the same place. */
const MIN_NUL_SHARE = 0.7;
const MAX_STRAY_NUL_SHARE = 0.1;

/** The longest signature below has fewer bytes. */
const MARK_BYTES = 32;

/** Signatures of compressed files: the first bytes in hexadecimal. */
const COMPRESSED: [string, RegExp][] = [
  ['zip', /^504b(?:0304|0506|0708)/],
  ['gzip', /^1f8b/],
  ['zstd', /^28b52ffd/],
  ['bzip2', /^425a683[1-9]314159265359/],
  ['xz', /^fd377a585a00/],
  ['7z', /^377abcaf271c/],
  ['lz4', /^04224d18/],
  ['rar', /^526172211a07/],
];

/** Each signature has a byte that text does not hold, because a CSV file's first column may be named `PAR1`. */
const BINARY: [string, RegExp][] = [
  ['Parquet', /^50415231(?:0[0-8e-f]|1)/],
  ['a PDF document', /^255044462d3\d2e/],
  ['a PNG image', /^89504e470d0a1a0a/],
  ['a JPEG image', /^ffd8ff/],
  ['a GIF image', /^474946383[79]61(?:..){0,16}00/],
  ['a TIFF image', /^(?:49492a00|4d4d002a)/],
  ['an old Office document (xls)', /^d0cf11e0/],
  ['Avro', /^4f626a01/],
  ['Arrow', /^4152524f573100/],
  ['ORC', /^4f5243(?:0[0-8e-f]|1)/],
  ['an SQLite database', /^53514c69746520666f726d6174203300/],
];

const UNICODE_MARKS: [string, RegExp][] = [
  ['UTF-32', /^(?:fffe0000|0000feff)/],
  ['UTF-16', /^(?:fffe|feff)/],
];

const HTML = /^(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|head|body|script|title|meta|!--)/i;
const XML = /^<(?:\?xml|rss|svg|kml|gpx|error>)/i;
const JSON_TEXT = /^(?:\{\s*"|\[\s*[[{"]|\{\s*\}\s*$|\[\s*\]\s*$)/;

/** ArcGIS Hub answers 200 with one of these statuses if it could not make the file. */
const FAILED_EXPORT = new Set(['Failed', 'CompletedWithErrors']);

/**
 * Refuses what publishers sometimes send instead of CSV: a web page, an error in JSON, an archive.
 * @param head the file's first bytes, at most 1 MiB.
 * @throws LonghaulError SOURCE_COMPRESSED, SOURCE_NOT_CSV, SOURCE_ENCODING_UNSUPPORTED, SOURCE_IS_HTML,
 *   SOURCE_EXPORT_FAILED.
 */
export function assertPlainText(head: Buffer): void {
  const mark = head.toString('hex', 0, MARK_BYTES);
  // `trimStart` also removes a byte order mark.
  const text = head.toString('utf8', 0, PATTERN_BYTES).trimStart();
  const compressed = kindOf(mark, COMPRESSED);
  if (compressed !== undefined) {
    throw refusal('SOURCE_COMPRESSED', `a ${compressed} file, not a plain CSV file.`);
  }
  const unicode = kindOf(mark, UNICODE_MARKS) ?? nulPattern(head.subarray(0, PATTERN_BYTES));
  if (unicode !== undefined) throw refusal('SOURCE_ENCODING_UNSUPPORTED', `in ${unicode}.`);
  if (HTML.test(text)) throw refusal('SOURCE_IS_HTML', `a web page: ${snippet(head)}`);
  const other = kindOf(mark, BINARY) ?? (XML.test(text) ? 'XML' : undefined);
  if (other !== undefined) throw refusal('SOURCE_NOT_CSV', `${other}, not CSV.`);
  if (!JSON_TEXT.test(text)) return;
  const said =
    head.length <= MAX_PORTAL_JSON_BYTES ? portalStatusIn(head.toString('utf8')) : undefined;
  if (FAILED_EXPORT.has(said?.status ?? '')) {
    const what = `The publisher could not make the file, and says: ${said?.text}.`;
    throw new LonghaulError('SOURCE_EXPORT_FAILED', what);
  }
  throw refusal('SOURCE_NOT_CSV', `JSON, not CSV: ${snippet(head)}`);
}

function refusal(code: ErrorCode, what: string): LonghaulError {
  return new LonghaulError(code, `The file is ${what}`);
}

function kindOf(mark: string, kinds: [string, RegExp][]): string | undefined {
  return kinds.find(([, form]) => form.test(mark))?.[0];
}

/** Finds UTF-16 and UTF-32 without a byte order mark. The NULs of a damaged file have no pattern and do not match. */
function nulPattern(head: Buffer): string | undefined {
  for (const [name, width] of [
    ['UTF-32', 4],
    ['UTF-16', 2],
  ] as const) {
    const characters = Math.floor(head.length / width);
    if (characters === 0) continue;
    const nuls = Array.from({ length: width }, (_, place) => {
      let count = 0;
      for (let at = place; at < characters * width; at += width) if (head[at] === 0) count += 1;
      return count / characters;
    });
    const filled = nuls.filter((share) => share >= MIN_NUL_SHARE).length;
    const bare = nuls.filter((share) => share <= MAX_STRAY_NUL_SHARE).length;
    if (filled === width - 1 && bare === 1) return `${name} (without a byte order mark)`;
  }
  return undefined;
}

function snippet(head: Buffer): string {
  const text = head.toString('utf8', 0, PATTERN_BYTES).replaceAll(/\s+/g, ' ').trim();
  return printable(text.slice(0, SNIPPET_LENGTH));
}
