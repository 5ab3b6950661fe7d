import { Agent, request, type Dispatcher } from 'undici';
import { LonghaulError } from '../model/errors.ts';

/** A NameNode sends a reader on to a DataNode; ours may stand behind one more proxy. */
const MAX_REDIRECTS = 3;
/** From outside the cluster's network nothing answers at all: that is found out fast. */
const CONNECT_TIMEOUT_MS = 5000;
const ANSWER_TIMEOUT_MS = 30_000;
/** Who owns what steps write on EMR; HDFS believes it. */
const USER = 'hadoop';

/** This worker has no way to the cluster's HDFS: a step on the cluster must look instead. */
export class HdfsUnreachable extends Error {
  override readonly name = 'HdfsUnreachable';
}

export interface HdfsEntry {
  name: string;
  bytes: number;
  isFolder: boolean;
}

/**
 * The address of a cluster's WebHDFS from the setting.
 * @returns undefined where it needs the master's name, which EMR has not given yet.
 */
export function webHdfsBase(
  template: string,
  { id, master }: { id: string; master: string | undefined },
): string | undefined {
  if (template.includes('{master}') && !master) return undefined;
  return template.replaceAll('{master}', master ?? '').replaceAll('{cluster}', id);
}

/**
 * HDFS over HTTP. Wherever a NameNode sends us, only the host of the address that was given is asked: what a cluster
 * answers must not lead a worker to other machines of its network.
 */
export class WebHdfs {
  readonly #base: URL;
  readonly #signal: AbortSignal | undefined;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  });

  constructor(base: string, signal?: AbortSignal) {
    this.#base = new URL(base);
    this.#signal = signal;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Undefined where there is no such folder. @throws HdfsUnreachable. */
  async list(path: string): Promise<HdfsEntry[] | undefined> {
    const body = await this.#ask(path, { op: 'LISTSTATUS' });
    return body && parseListing(body.toString());
  }

  /** Undefined where there is no such file. @throws HdfsUnreachable. */
  async size(path: string): Promise<number | undefined> {
    const body = await this.#ask(path, { op: 'GETFILESTATUS' });
    return body && parseStatus(body.toString()).bytes;
  }

  /** Bytes [start, end), fewer at the file's end. @throws HdfsUnreachable. */
  async readRange(path: string, start: number, end: number): Promise<Buffer> {
    if (end <= start) return Buffer.alloc(0);
    const range = { offset: String(start), length: String(end - start) };
    const body = await this.#ask(path, { op: 'OPEN', ...range });
    if (!body) throw new LonghaulError('LAKE_CORRUPT', `hdfs://${path} is gone.`);
    return body;
  }

  /** A folder with all that is in it; no error where there is none. @throws HdfsUnreachable. */
  async deleteFolder(path: string): Promise<void> {
    await this.#ask(path, { op: 'DELETE', recursive: 'true' }, 'DELETE');
  }

  /** Undefined for 404. */
  async #ask(
    path: string,
    query: Record<string, string>,
    method: 'GET' | 'DELETE' = 'GET',
  ): Promise<Buffer | undefined> {
    let url = this.#urlOf(path, query);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const { statusCode, headers, body } = await this.#request(url, method);
      if (statusCode >= 300 && statusCode < 400) {
        await body.dump();
        url = this.#follow(url, String(headers['location'] ?? ''));
        continue;
      }
      const bytes = await this.#bytesOf(body);
      if (statusCode === 200) return bytes;
      if (statusCode === 404) return undefined;
      throw new HdfsUnreachable(`${url.host} answers ${statusCode} to ${query['op'] ?? ''}`);
    }
    throw new HdfsUnreachable(`${this.#base.host} sends on and on`);
  }

  #urlOf(path: string, query: Record<string, string>): URL {
    const url = new URL(this.#base);
    const names = path.split('/').map((name) => encodeURIComponent(name));
    url.pathname = `${url.pathname.replace(/\/$/, '')}/webhdfs/v1${names.join('/')}`;
    url.search = new URLSearchParams({ ...query, 'user.name': USER }).toString();
    return url;
  }

  #follow(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
    if (!to || !/^https?:$/.test(to.protocol)) {
      throw new HdfsUnreachable(`${from.host} sends on to no address`);
    }
    if (hostOf(to) !== hostOf(this.#base)) {
      throw new HdfsUnreachable(`${from.host} sends on to ${to.hostname}, which is another host`);
    }
    return to;
  }

  async #request(url: URL, method: 'GET' | 'DELETE'): Promise<Dispatcher.ResponseData> {
    try {
      return await request(url.href, {
        method,
        dispatcher: this.#agent,
        signal: this.#signal,
      });
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  async #bytesOf(body: Dispatcher.ResponseData['body']): Promise<Buffer> {
    try {
      return Buffer.from(await body.arrayBuffer());
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    const why = error instanceof Error ? error.message : String(error);
    return new HdfsUnreachable(`${this.#base.host}: ${why}`, { cause: error });
  }
}

/** One machine under its several names for itself. */
function hostOf({ hostname }: URL): string {
  return /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(hostname) ? 'loopback' : hostname;
}

/** @throws HdfsUnreachable for what no NameNode says. */
export function parseListing(text: string): HdfsEntry[] {
  const { FileStatuses: statuses } = parsed(text) as {
    FileStatuses?: { FileStatus?: unknown };
  };
  const list = statuses?.FileStatus;
  if (!Array.isArray(list)) throw new HdfsUnreachable('The answer is no listing');
  return list.map((each) => entryOf(each));
}

function parseStatus(text: string): HdfsEntry {
  return entryOf((parsed(text) as { FileStatus?: unknown }).FileStatus);
}

function entryOf(value: unknown): HdfsEntry {
  const { pathSuffix, length, type } = (value ?? {}) as Record<string, unknown>;
  if (typeof pathSuffix !== 'string' || typeof length !== 'number' || typeof type !== 'string') {
    throw new HdfsUnreachable('The answer has no file status');
  }
  return { name: pathSuffix, bytes: length, isFolder: type === 'DIRECTORY' };
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Not JSON: the error below says so.
  }
  throw new HdfsUnreachable('The answer is not WebHDFS');
}
