import type { SourceSpec } from './dataset.ts';
import { printable } from './names.ts';

/**
 * An address in the form that may be shown, logged and stored: without user and password. If its query seems to hold a
 * secret in clear, it has no query (publishers redirect to signed S3 and Azure addresses).
 */
export function shownAddress(address: string): string {
  const plain = printable(address).replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
  if (secretIn(address) === undefined) return plain;
  return `${plain.slice(0, plain.search(/[?#]/))}?…`;
}

export const NO_FILES_HINT =
  'Workers of a configured Temporal read http(s) only: publish the file there, or unset TEMPORAL_ADDRESS and TEMPORAL_PROFILE to run it on this machine.';

/** True for a file on the machine of the process that reads the address. */
export function isFileAddress(address: string): boolean {
  return /^file:/i.test(address);
}

/** A variable of the worker's environment, in upper case. The templates of datasets.yaml are in lower case. */
const VARIABLE = /\$\{([A-Z_][A-Z0-9_]*)\}/g;

/** The names of the variables that stand for an address's secrets, `${CITY_TOKEN}`, in order. */
export function variablesIn(address: string): string[] {
  return [...address.matchAll(VARIABLE)].map(([, name = '']) => name);
}

/** The names of the variables that a source's address and headers need, in order. */
export function variablesOf({
  address,
  headers = {},
}: Pick<SourceSpec, 'address' | 'headers'>): string[] {
  return [address, ...Object.values(headers)].flatMap(variablesIn);
}

/** The headers of a request, with the values of their variables. */
export function filledHeaders(
  headers: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
): Record<string, string> {
  const filled = Object.entries(headers).map(([name, text]) => [
    name,
    text.replaceAll(VARIABLE, (whole, variable: string) => values[variable] ?? whole),
  ]);
  return Object.fromEntries(filled) as Record<string, string>;
}

/**
 * The address of a request, with the values of its variables. Values are inserted unchanged, as a user would type them
 * into a browser. Only `#` is escaped, because it would cut off the rest.
 */
export function filledAddress(address: string, values: Readonly<Record<string, string>>): string {
  return address.replaceAll(VARIABLE, (whole, name: string) =>
    (values[name] ?? whole).replaceAll('#', '%23'),
  );
}

/** The hint for an address with a secret in clear. */
export const SECRET_HINT =
  'Put the address into datasets.yaml with a variable in place of the secret, such as ?token=${CITY_TOKEN}, and set CITY_TOKEN in the environment of the worker or in its .env.';

/** Names that only secrets have, without the characters between their words: `X-Amz-Signature`, `subscription-key`. */
const SECRET_NAME =
  /token|signature|secret|passw|credential|jwt|hmac|bearer|(?:api|access|subscription|private|account|shared|auth|app|client|master)key|^(?:sig|sas|pwd|pass|authorization)$/;
/** Names that ordinary parameters also have (`st` for a state, `key` of a table). Only a longer value is a secret. */
const AMBIGUOUS_NAME = /^(?:key|code|st|auth|session|sessionid|sid|ticket)$/;
/** A short word, a number or a date: too simple for a secret. */
const PLAIN_VALUE = /^(?:[a-z0-9]{0,5}|\d{1,12}|\d{4}-\d\d-\d\d(?:[T ].*)?)$/i;

/** True for a header that holds a secret: `Authorization`, `X-App-Token`, `Cookie`. */
export function isSecretHeader(name: string): boolean {
  const bare = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return SECRET_NAME.test(bare) || AMBIGUOUS_NAME.test(bare) || /auth|cookie|apikey/.test(bare);
}

/** The name of a parameter whose value looks like a secret in clear; undefined if there is none. */
export function secretIn(address: string): string | undefined {
  const queryAt = address.search(/[?#]/);
  if (queryAt === -1) return undefined;
  for (const parameter of address.slice(queryAt + 1).split(/[?&#;]/)) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(parameter) ?? [];
    const bare = decoded(name)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '');
    const isClear = value.replaceAll(VARIABLE, '') !== '';
    if (!isClear) continue;
    if (SECRET_NAME.test(bare)) return printable(name);
    if (AMBIGUOUS_NAME.test(bare) && !PLAIN_VALUE.test(decoded(value))) return printable(name);
  }
  return undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
