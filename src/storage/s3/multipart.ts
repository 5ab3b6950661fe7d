import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CompletedPart,
  type CompleteMultipartUploadCommandInput,
  type CreateMultipartUploadCommandInput,
} from '@aws-sdk/client-s3';
import { LonghaulError } from '../../model/errors.ts';
import { abortUpload } from './uploads.ts';
import type { S3Zone } from './zone.ts';

/** A multipart upload under way: what each request of it needs. */
export interface Upload {
  Bucket: string;
  Key: string;
  UploadId: string;
}

type Completion = Partial<CompleteMultipartUploadCommandInput> & { parts: CompletedPart[] };

/**
 * One multipart upload from its start to its object, for an object that only its caller writes; it is aborted where
 * `fill` fails, and not gone on with by anyone.
 * @param fill uploads the parts. @returns them in order, and what else completes the upload.
 */
export async function multipart(
  zone: S3Zone,
  key: string,
  create: Partial<CreateMultipartUploadCommandInput>,
  fill: (upload: Upload) => Promise<Completion>,
): Promise<void> {
  const at = { Bucket: zone.bucket, Key: zone.keyOf(key) };
  const created = await zone.send(
    new CreateMultipartUploadCommand({ ...at, ...create }),
    'PutObject',
  );
  const { UploadId } = created;
  if (UploadId === undefined) {
    throw new LonghaulError('STORE_REFUSED', `S3 gave the upload of ${at.Key} no id.`);
  }
  try {
    const { parts, ...rest } = await fill({ ...at, UploadId });
    const command = new CompleteMultipartUploadCommand({
      ...at,
      UploadId,
      ...rest,
      MultipartUpload: { Parts: parts },
    });
    await zone.send(command, 'PutObject');
  } catch (error) {
    // What failed is what counts; what is left then is swept with the attempt's prefix.
    await abortUpload(zone, key, UploadId).catch(() => undefined);
    throw error;
  }
}
