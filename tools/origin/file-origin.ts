import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { join, posix, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';

/** Reads are few and large, because the origin is not measured. */
const READ_BYTES = 1024 * 1024;

export interface FileOrigin {
  /** `http://127.0.0.1:<port>` */
  url: string;
  close(): Promise<void>;
}

interface ServedFile {
  path: string;
  bytes: number;
  etag: string;
}

/**
 * A well-behaved publisher on a free loopback port. It serves the files below a folder with a strong ETag of their
 * content, and honours Range and If-Range.
 */
export async function startFileOrigin(folder: string): Promise<FileOrigin> {
  const files = await filesBelow(folder);
  const server = createServer((request, response) => {
    answer(files, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${portOf(server)}`, close: () => close(server) };
}

async function filesBelow(folder: string): Promise<Map<string, ServedFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = new Map<string, ServedFile>();
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length).split(sep).join(posix.sep);
    files.set(name.startsWith('/') ? name : `/${name}`, {
      path,
      bytes: (await stat(path)).size,
      etag: `"${await checksum(path)}"`,
    });
  }
  return files;
}

async function checksum(path: string): Promise<string> {
  let state = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
    state = crc32(chunk as Buffer, state);
  }
  return state.toString(16).padStart(8, '0');
}

async function answer(
  files: Map<string, ServedFile>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = files.get((request.url ?? '/').replace(/[?#].*$/s, ''));
  if (file === undefined) {
    response.writeHead(404).end('No such file.\n');
    return;
  }
  const headers = { 'content-type': 'text/csv', etag: file.etag, 'accept-ranges': 'bytes' };
  const range = rangeOf(request, file);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${file.bytes}` }).end();
    return;
  }
  const [start, end] = range ?? [0, file.bytes];
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': end - start,
    ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${file.bytes}` } : {}),
  });
  if (request.method === 'HEAD' || start === end) {
    response.end();
    return;
  }
  const options = { start, end: end - 1, highWaterMark: READ_BYTES };
  await pipeline(createReadStream(file.path, options), response);
}

/** [start, end) of a single range. Undefined means the whole file. */
function rangeOf(
  { headers }: IncomingMessage,
  { bytes, etag }: ServedFile,
): [number, number] | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const condition = headers['if-range'];
  if (!match || (condition !== undefined && condition !== etag)) return undefined;
  const start = Number(match[1]);
  const end = match[2] === '' ? bytes : Math.min(Number(match[2]) + 1, bytes);
  return start < end ? [start, end] : 'unsatisfiable';
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The origin has no port.');
  return address.port;
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => {
    server.close(resolve);
  });
  server.closeAllConnections();
  await closed;
}
