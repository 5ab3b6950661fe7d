import { printable } from '../../model/names.ts';

/** What the SDK throws, for S3's answers and for its own troubles. */
export interface ServiceError extends Error {
  /** Of the network. */
  code?: string;
  /** `<Region>` of the answer. */
  Region?: unknown;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as ServiceError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** The bucket's, where the answer tells it: AWS in a header or in the body, others in the sentence. */
export function regionOf(error: ServiceError): string | undefined {
  const region = error.$response?.headers?.['x-amz-bucket-region'] ?? error.Region;
  const found = typeof region === 'string' ? region : EXPECTING.exec(error.message)?.[1];
  return found !== undefined && /^[\w-]+$/.test(found) ? found : undefined;
}

const EXPECTING = /expecting ['"]([\w-]+)['"]/;

/** S3's or the SDK's own words, for a message: short, printable, and without secrets. */
export function said(error: ServiceError): string {
  const status = statusOf(error);
  const attempts = error.$metadata?.attempts ?? 1;
  const name = ['Error', 'Unknown', 'AggregateError'].includes(error.name) ? '' : error.name;
  const words = error.message === 'UnknownError' ? '' : wordsOf(error);
  // A HEAD's answer has no words.
  const parts = [name, words || (name || status === undefined ? '' : `HTTP ${status}`)];
  const text = parts.filter((part) => part !== '').join(': ');
  return `${text || 'no reason given'}${attempts > 1 ? `; ${attempts} attempts` : ''}`;
}

/** The same error without what may hold secrets: S3 echoes signed headers, a session token among them. */
export function causeOf(error: ServiceError): Error {
  const region = regionOf(error);
  const cause = Object.assign(new Error(wordsOf(error)), {
    name: error.name,
    $metadata: error.$metadata,
    code: error.code,
    Region: region,
  });
  const frames = error.stack?.slice(error.stack.indexOf('\n    at ')) ?? '';
  cause.stack = `${error.name}: ${cause.message}${frames}`;
  return cause;
}

function wordsOf({ message, code }: ServiceError): string {
  // A credential_process' command and what it printed.
  if (message.startsWith('Command failed')) return 'the credential_process failed';
  const [line = ''] = message.trim().split('\n', 1);
  return printable((line || code || '').replaceAll(SECRETIVE, '…')).slice(0, MAX_WORDS_CHARACTERS);
}

/** Keys, tokens and signatures are long runs of these; names of buckets and objects have dots and dashes. */
const SECRETIVE = /[\w+/=]{40,}/g;
/** Long enough for S3's own sentence. */
const MAX_WORDS_CHARACTERS = 300;
