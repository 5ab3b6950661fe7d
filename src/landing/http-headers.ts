import type { Dispatcher } from 'undici';
import type { Validator } from '../model/validator.ts';

type Response = Pick<Dispatcher.ResponseData, 'headers'>;

export function header(response: Response, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Weak ETags are dropped: they do not promise equal bytes. */
export function validatorOf(response: Response): Validator {
  const etag = header(response, 'etag');
  const lastModified = header(response, 'last-modified');
  return {
    ...(etag !== undefined && /^"[^"]*"$/.test(etag) ? { etag } : {}),
    lastModified,
  };
}

export interface ContentRange {
  /** Absent in the answer 416 (`bytes` and only the total). */
  start?: number;
  /** Of the last byte. */
  end?: number;
  /** Absent where the server does not know it (`bytes 0-9/*`). */
  total?: number;
}

export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? '');
  if (!match) return undefined;
  const [start, end, total] = match
    .slice(1)
    .map((each) => (each === undefined || each === '*' ? undefined : Number(each)));
  return { start, end, total };
}

/** Both forms of Retry-After, in seconds from now; undefined for anything else. */
export function parseRetryAfter(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now.getTime()) / 1000));
}
