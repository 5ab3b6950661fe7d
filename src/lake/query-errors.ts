import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';

/** Turns DuckDB's error about S3 into an error of the catalogue; undefined for other errors. */
export type StoreErrorOf = (message: string) => LonghaulError | undefined;

/** The catalogue's error for an error that DuckDB throws during a query. */
export function asQueryError(error: unknown, storeError: StoreErrorOf): unknown {
  if (error instanceof LonghaulError || !(error instanceof Error)) return error;
  // An error with a code comes from the system while it writes the result: a closed pipe is not the query's fault.
  if ('code' in error) return error;
  const message = printableLines(error.message);
  if (/^(?:Failed to extract statements: )?Permission Error/.test(error.message)) {
    return refused(`The query reaches outside the lake: ${message}`, error);
  }
  // DuckDB's binding says this about a text without any statement.
  if (error.message === 'Error in native callback') return refused('The query is empty.', error);
  const ofStore = storeError(error.message);
  return ofStore ?? new LonghaulError('QUERY_FAILED', message, {}, { cause: error });
}

/** The catalogue's error for an error that DuckDB throws while a view is made. The query did not cause it. */
export function asViewError(error: unknown, view: string, storeError: StoreErrorOf): LonghaulError {
  if (error instanceof LonghaulError) return error;
  const message = error instanceof Error ? error.message : '';
  const ofStore = storeError(message);
  if (ofStore && ofStore.code !== 'LAKE_CORRUPT') return ofStore;
  const why = printable(ofStore?.message ?? message.split('\n')[0] ?? '');
  return new LonghaulError(
    'LAKE_CORRUPT',
    `The files of ${view} cannot be read: ${why}`,
    {},
    { cause: error },
  );
}

/**
 * The hint for a query whose view does not exist.
 * @param past if the query is as of a day: the views that did not exist yet, with the day of their first snapshot.
 */
export function viewsHint(
  known: readonly string[],
  past?: { asOf: string; firstDays: readonly (readonly [view: string, ingestDate: string])[] },
): string {
  const nothing = past ? `On ${past.asOf} nothing was published yet` : 'Nothing is published yet';
  const views = past ? `On ${past.asOf} the views were` : 'The views are';
  const list = `${views} ${known.join(', ')}; each has a …_history with every snapshot`;
  const later = (past?.firstDays ?? []).map(([view, day]) => `${view} is there from ${day} on.`);
  const first = `${known.length > 0 ? list : nothing}.`;
  return [first, ...later, 'DESCRIBE <view> lists its columns.'].join(' ');
}

export function refused(message: string, cause?: unknown): LonghaulError {
  return new LonghaulError('QUERY_REFUSED', message, {}, { cause });
}

/** DuckDB marks the place with a caret on a line of its own, so line ends stay. */
function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n')
    .trimEnd();
}
