import { printable } from './names.ts';

/**
 * An address as it may be shown, logged and kept: without user and password, and without its query where
 * that holds a signature or a token (publishers redirect to signed S3 and Azure addresses).
 */
export function shownAddress(address: string): string {
  const plain = printable(address).replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@]*@/i, '$1');
  const queryAt = plain.search(/[?#]/);
  if (queryAt === -1 || !SECRET_PARAMETER.test(plain.slice(queryAt))) return plain;
  return `${plain.slice(0, queryAt)}?…`;
}

export const NO_FILES_HINT =
  'Workers of a configured Temporal read http(s) only: publish the file there, or unset TEMPORAL_ADDRESS and TEMPORAL_PROFILE to run it on this machine.';

/** A file of the machine that reads it. */
export function isFileAddress(address: string): boolean {
  return /^file:/i.test(address);
}

const SECRET_PARAMETER =
  /[?&#](?:[^=&]*(?:token|sig|signature|secret|password|passwd|credential|apikey|api_key|api-key|auth)[^=&]*|key|code)=/i;
