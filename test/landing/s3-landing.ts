import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { TestS3 } from '../helpers/s3.ts';

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

/** A file of about so many MiB, quoted line breaks and all, that is never in memory as a whole. */
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

/** Of the bytes that come out of the bucket, not of what S3 says of them. */
export async function storedChecksum({ client, bucket }: TestS3, key: string): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  let crc = 0;
  for await (const chunk of Body as Readable) crc = crc32(chunk as Buffer, crc);
  return checksumOf(crc);
}

/** Every key below a prefix, and every unfinished upload as `upload <key>`. */
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
