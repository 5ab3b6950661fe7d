import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { withLab, type Lab } from './lab.ts';
import type { Route } from './origin.ts';
import { startS3, type TestS3 } from './s3.ts';

interface S3LabSetup {
  routes?: Record<string, Route>;
  env?: Record<string, string>;
  up?: boolean;
}

/** Runs a test in a lab whose lake is in a bucket of its own gateway. */
export async function withS3Lab(
  setup: S3LabSetup,
  body: (lab: Lab, s3: TestS3) => Promise<void>,
): Promise<void> {
  const s3 = await startS3();
  try {
    const env = { ...s3.env, LAKE: `s3://${s3.bucket}`, ...setup.env };
    await withLab({ ...setup, env }, async (lab) => {
      await body(lab, s3);
    });
  } finally {
    await s3.close();
  }
}

/** Keys of all objects and of all unfinished uploads in the bucket. */
export async function bucketContents(s3: TestS3): Promise<{ keys: string[]; uploads: string[] }> {
  const objects = await s3.client.send(new ListObjectsV2Command({ Bucket: s3.bucket }));
  const open = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
  return {
    keys: (objects.Contents ?? []).map(({ Key = '' }) => Key).toSorted(),
    uploads: (open.Uploads ?? []).map(({ Key = '' }) => Key),
  };
}
