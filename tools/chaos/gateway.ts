import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { join } from 'node:path';
import { startS3Server, type S3Server } from '../local-aws/s3-server.ts';
import { locateVersitygw } from '../local-aws/versitygw.ts';
import type { LakeFolders } from './lake-check.ts';

const BUCKET = 'longhaul-chaos';

/** An S3 gateway over a folder. It may be killed, and starts again at the same port with the same objects. */
export class Gateway {
  readonly #folder: string;
  readonly #secretAccessKey: string;
  #program = '';
  #server: S3Server | undefined;

  constructor(folder: string, secretAccessKey: string) {
    this.#folder = join(folder, 's3');
    this.#secretAccessKey = secretAccessKey;
  }

  /** Starts the gateway, also after it was killed. */
  async start(): Promise<void> {
    const port = this.#server ? Number(new URL(this.#server.endpoint).port) : undefined;
    await this.#server?.stop();
    this.#program ||= await locateVersitygw({
      given: process.env['VERSITYGW'],
      searchPath: process.env['PATH'],
    });
    this.#server = await startS3Server({
      folder: this.#folder,
      program: this.#program,
      secretAccessKey: this.#secretAccessKey,
      port,
    });
    await this.#server.createBucket(BUCKET);
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  /** Environment variables that the commands need. */
  env(): Record<string, string> {
    const { endpoint = '', region = '', accessKeyId = '' } = this.#server ?? {};
    return {
      LAKE: `s3://${BUCKET}`,
      S3_STALL_TIMEOUT_SECONDS: '2',
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.#secretAccessKey,
    };
  }

  /** Folders of the lake. The gateway keeps each object as a file. */
  folders(): LakeFolders {
    const bucket = join(this.#folder, 'buckets', BUCKET);
    return { raw: join(bucket, 'takehome-raw'), converted: join(bucket, 'takehome-converted') };
  }

  /** Keys of uploads that are not finished and not aborted. */
  async openUploads(): Promise<string[]> {
    const { endpoint = '', region = '', accessKeyId = '' } = this.#server ?? {};
    const credentials = { accessKeyId, secretAccessKey: this.#secretAccessKey };
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    try {
      const command = new ListMultipartUploadsCommand({ Bucket: BUCKET });
      return ((await client.send(command)).Uploads ?? []).map(({ Key = '?' }) => Key);
    } finally {
      client.destroy();
    }
  }
}
