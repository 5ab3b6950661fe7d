import type { IncomingHttpHeaders } from 'node:http';

/** S3's name for the request. `Other` stands for operations that Longhaul does not use. */
export type S3Operation =
  | ObjectOperation
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'CreateMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListParts'
  | 'ListMultipartUploads'
  | 'ListObjectsV2'
  | 'Other';

type ObjectOperation =
  'GetObject' | 'HeadObject' | 'PutObject' | 'CopyObject' | 'DeleteObject' | 'HeadBucket';

/** Names the operation by the method and the query, as S3 does. */
export function operationOf(
  method: string,
  key: string,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): S3Operation {
  const isCopy = headers['x-amz-copy-source'] !== undefined;
  if (key === '') return bucketOperation(method, query);
  if (query.has('uploads')) return method === 'POST' ? 'CreateMultipartUpload' : 'Other';
  if (query.has('uploadId')) return uploadOperation(method, isCopy);
  if (method === 'PUT') return isCopy ? 'CopyObject' : 'PutObject';
  const others = { GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' } as const;
  return others[method as keyof typeof others] ?? 'Other';
}

function bucketOperation(method: string, query: URLSearchParams): S3Operation {
  if (method === 'HEAD') return 'HeadBucket';
  if (method !== 'GET') return 'Other';
  if (query.has('uploads')) return 'ListMultipartUploads';
  return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Other';
}

function uploadOperation(method: string, isCopy: boolean): S3Operation {
  if (method === 'PUT') return isCopy ? 'UploadPartCopy' : 'UploadPart';
  const others = {
    POST: 'CompleteMultipartUpload',
    DELETE: 'AbortMultipartUpload',
    GET: 'ListParts',
  } as const;
  return others[method as keyof typeof others] ?? 'Other';
}
