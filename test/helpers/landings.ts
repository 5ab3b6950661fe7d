import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import type { LakeSettings } from '../../src/config/settings.ts';
import type { TestS3 } from './s3.ts';

export const MIB = 1024 * 1024;
export const PART_BYTES = 16 * MIB;

const HEADER = Buffer.from('a,b,c,d,e\r\n');
const RECORDS_PER_BLOCK = 19_000;

export interface TestBody {
  bytes: number;
  records: number;
  checksum: string;
  read: (start: number) => AsyncGenerator<Buffer>;
}

/** One line that a landing process prints. */
export interface LandingLine {
  bytes?: number;
  checksum?: string;
  records?: number;
  seconds?: number;
  idleRss?: number;
  peakRss?: number;
  code?: string;
}

interface Landing {
  address: string;
  lake: LakeSettings;
  key: string;
  env?: Record<string, string>;
  onLine?: (line: LandingLine, child: ChildProcess) => void;
}

/** Lands in its own process. @returns the process, and a promise of its last line. */
export function landInProcess({ address, lake, key, env, onLine }: Landing): {
  child: ChildProcess;
  end: Promise<LandingLine>;
} {
  const script = fileURLToPath(new URL('./land-process.js', import.meta.url));
  const child = spawn(process.execPath, [script, address, JSON.stringify(lake), key], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const exited = once(child, 'exit');
  const read = async (): Promise<LandingLine> => {
    let last: LandingLine = {};
    for await (const text of createInterface({ input: child.stdout })) {
      last = JSON.parse(text) as LandingLine;
      onLine?.(last, child);
    }
    await exited;
    return last;
  };
  return { child, end: read() };
}

/** A file of about this many MiB with quoted line breaks. It is never in memory as a whole. */
export function bigBody(mebibytes: number, text = 'one'): TestBody {
  const block = Buffer.from(
    `"${text}, and\ntwo",07/31/2015 12:47:35 PM,3,,Public Works\r\n`.repeat(RECORDS_PER_BLOCK),
  );
  const blocks = Math.round((mebibytes * MIB) / block.length);
  async function* read(start: number): AsyncGenerator<Buffer> {
    if (start < HEADER.length) yield HEADER.subarray(start);
    let skip = Math.max(start - HEADER.length, 0);
    for (let index = Math.floor(skip / block.length); index < blocks; index += 1) {
      yield block.subarray(skip % block.length);
      skip = 0;
    }
  }
  let crc = crc32(HEADER);
  for (let index = 0; index < blocks; index += 1) crc = crc32(block, crc);
  return {
    bytes: HEADER.length + blocks * block.length,
    records: blocks * RECORDS_PER_BLOCK,
    checksum: checksumOf(crc),
    read,
  };
}

/** Checksum of the bytes that the bucket returns, not the checksum that S3 reports. */
export async function storedChecksum({ client, bucket }: TestS3, key: string): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  let crc = 0;
  for await (const chunk of Body as Readable) crc = crc32(chunk as Buffer, crc);
  return checksumOf(crc);
}

/** Lists every key below a prefix, and every unfinished upload as `upload <key>`. */
export async function everything({ client, bucket }: TestS3, prefix: string): Promise<string[]> {
  const at = { Bucket: bucket, Prefix: prefix };
  const { Contents = [] } = await client.send(new ListObjectsV2Command(at));
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(at));
  return [
    ...Contents.map(({ Key = '' }) => Key.slice(prefix.length)),
    ...Uploads.map(({ Key = '' }) => `upload ${Key.slice(prefix.length)}`),
  ];
}

function checksumOf(crc: number): string {
  return `crc32:${(crc >>> 0).toString(16).padStart(8, '0')}`;
}
