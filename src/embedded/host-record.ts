import { isErrorCode, LonghaulError, type ErrorCode } from '../model/errors.ts';
import { isIdentity, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import { isRecord, readFields, replaceFile, statePaths } from './state-files.ts';

export type HostStatus = 'starting' | 'ready' | 'stopping' | 'stopped' | 'failed';

/** What a host says of itself in `host.json`. It holds only while the same process holds the lock. */
export interface HostRecord extends ProcessIdentity {
  status: HostStatus;
  /** Of the program, to tell a server that an older one started. */
  version: string;
  /** The lake in S3 that its worker reaches, in words; none without a bucket. */
  s3Place?: string;
  /** `host:port`; from `ready` on. */
  address?: string;
  uiUrl?: string;
  /** What it is doing, for people. */
  note?: string;
  error?: HostError;
}

export interface HostError {
  code: ErrorCode;
  message: string;
  hint?: string;
}

export interface HostChange extends Partial<
  Pick<HostRecord, 'status' | 'address' | 'uiUrl' | 'note' | 'error'>
> {
  /** Shown in place of the status, which may change underneath, until it is set back. */
  stopping?: boolean;
}

export async function readHostRecord(stateDir: string): Promise<HostRecord | undefined> {
  const fields = await readFields(statePaths(stateDir).host);
  return isHostRecord(fields) ? fields : undefined;
}

/** The host's own side. Writes are in the order of the calls. */
export class HostRecordWriter {
  readonly #path: string;
  #record: HostRecord;
  #stopping = false;
  #last: Promise<void> = Promise.resolve();

  constructor(stateDir: string, started: Pick<HostRecord, 'version' | 's3Place'>) {
    this.#path = statePaths(stateDir).host;
    this.#record = { ...ownIdentity(), status: 'starting', ...started };
  }

  get status(): HostStatus {
    return this.#record.status;
  }

  async write({ stopping, ...change }: HostChange = {}): Promise<void> {
    this.#record = { ...this.#record, ...change };
    this.#stopping = stopping ?? this.#stopping;
    const shown = this.#stopping ? { ...this.#record, status: 'stopping' } : this.#record;
    const body = `${JSON.stringify(shown, null, 2)}\n`;
    const written = this.#last.then(async () => await replaceFile(this.#path, body));
    this.#last = written.catch(() => undefined);
    await written;
  }
}

/** @param logPath named in the message, unless the error says already what to do. */
export function toHostError(error: unknown, logPath: string): HostError {
  if (error instanceof LonghaulError) {
    const { hint } = error.details;
    return { code: error.code, message: error.message, ...(hint === undefined ? {} : { hint }) };
  }
  const text = error instanceof Error ? error.message : String(error);
  return {
    code: 'EMBEDDED_FAILED',
    message: `The embedded worker failed: ${text}`,
    hint: `Its log is ${logPath}; \`longhaul down\`, then try again.`,
  };
}

export function fromHostError({ code, message, hint }: HostError): LonghaulError {
  return new LonghaulError(code, message, hint === undefined ? {} : { hint });
}

function isHostRecord(
  fields: Record<string, unknown> | undefined,
): fields is Record<string, unknown> & HostRecord {
  if (!isIdentity(fields)) return false;
  const { status, version, error } = fields as Record<string, unknown>;
  const errorFits = error === undefined || (isRecord(error) && isErrorCode(error['code']));
  return typeof status === 'string' && typeof version === 'string' && errorFits;
}
