/** The publisher's host cannot be reached or answers with errors for now. Waiting may help. */
export const UNAVAILABLE = {
  SOURCE_UNREACHABLE: {
    happened: "The publisher's host refused, reset or never answered the connection.",
    next: 'The run tries again until its time is up; check the address and your network.',
  },
  SOURCE_UNAVAILABLE: {
    happened: 'The publisher answered 408, 425, 429 or 5xx.',
    next: 'The run tries again, after Retry-After where the publisher sends one.',
  },
  SOURCE_NOT_READY: {
    happened:
      'The publisher answered 202, because it is still making the file, or says that the data which it sent are out of date.',
    next: 'The run asks again, after Retry-After or 10 s, for up to 15 minutes. `longhaul retry <run>` asks again later.',
  },
  SOURCE_EXPORT_FAILED: {
    happened: 'The publisher answered that it could not make the file (an export of a portal).',
    next: 'The run asks again until its time is up; open the page of the data set in a browser and download it there.',
  },
  SOURCE_STALLED: {
    happened: 'No byte arrived for the stall time.',
    next: 'The run connects again and goes on from the last checkpoint.',
  },
  SOURCE_TOO_SLOW: {
    happened: 'The body came with less than 1024 bytes a second, over a minute.',
    next: 'The run connects again and goes on from the last checkpoint.',
  },
  SOURCE_TRUNCATED: {
    happened: 'The body ended before its Content-Length.',
    next: 'The run goes on from the last checkpoint; a short body never becomes a file.',
  },
  SOURCE_CHANGED: {
    happened: 'The publisher replaced the file while it was being read.',
    next: 'The run starts again from the first byte of the new version.',
  },
  SOURCE_NO_SUCH_HOST: {
    happened: 'DNS does not know the host name of the address.',
    next: 'Check the host name in datasets.yaml. A scheduled run tries again until its time is up, a command for 30 s.',
  },
  PORTAL_ANSWER_INVALID: {
    happened:
      'A portal answered with records that do not agree with what was asked, or with its own count.',
    next: 'Nothing is published. The run asks again until its time is up.',
  },
} as const;

/** The publisher's host refuses, or the address is wrong. Waiting does not help. */
export const REFUSED = {
  SOURCE_TOO_LARGE: {
    happened: 'The file is larger than MAX_SOURCE_SIZE.',
    next: 'Raise MAX_SOURCE_SIZE if the file is meant to be so large, then `longhaul retry <run>`.',
  },
  ANSWER_TOO_LONG: {
    happened:
      'A portal answered with more bytes than a description, or a page of records, can have.',
    next: 'Open the address in a browser; use the address of a CSV file of the portal if there is one.',
  },
  ADDRESS_AMBIGUOUS: {
    happened: 'The address leads to several tables of a portal.',
    next: 'Use one of the addresses that the message names.',
  },
  PORTAL_UNUSABLE: {
    happened: 'The portal cannot give this table whole and exactly.',
    next: 'The message says what is missing; use the address of a CSV file of the portal if there is one.',
  },
  SOURCE_NOT_FOUND: {
    happened: 'The publisher answered 404 or 410.',
    next: 'Fix the address in datasets.yaml; publishers move files.',
  },
  SOURCE_FORBIDDEN: {
    happened: 'The publisher answered 401 or 403.',
    next: 'The file is not public at this address; look for its public one.',
  },
  SOURCE_REFUSED: {
    happened: 'The publisher answered with a status that a retry will not change.',
    next: 'Open the address in a browser and fix it in datasets.yaml.',
  },
  SOURCE_REDIRECT_LOOP: {
    happened: 'More redirects than are followed.',
    next: 'Put the final address into datasets.yaml.',
  },
  ADDRESS_REFUSED: {
    happened: 'The address, or one that it leads to, is not one that a worker may read.',
    next: 'Use a public http(s) address; private ranges need ALLOW_PRIVATE_ADDRESSES=true.',
  },
  SOURCE_NOT_NAMED: {
    happened: "A `file:` address leads to a file that no command of the lake's owner has named.",
    next: 'As the owner of the lake, run `longhaul ingest <dataset>` or `longhaul schedule apply`: they name its files. A symlink that leads elsewhere now is named again.',
  },
} as const;

/** The publisher's file is not CSV that can be read without guessing. */
export const CONTENT = {
  SOURCE_EMPTY: {
    happened: 'The file has no byte, or nothing but blank lines.',
    next: 'Nothing is published; the last snapshot stays. Ask the publisher, then run again.',
  },
  SOURCE_IS_HTML: {
    happened: 'The address answers with a web page, not a CSV file.',
    next: 'Open it in a browser: a login page, or a page with the real link. Fix the address.',
  },
  SOURCE_NOT_CSV: {
    happened: 'The file is of another kind (JSON, Parquet, an image, …).',
    next: 'Fix the address in datasets.yaml.',
  },
  SOURCE_COMPRESSED: {
    happened: 'The file is compressed (zip, gzip, …), which is not supported yet.',
    next: 'Use the address of the plain CSV file.',
  },
  SOURCE_HAS_NUL: {
    happened: 'The file has NUL bytes: it is not text, or it was damaged.',
    next: 'Nothing is published; the landing is kept for a look at the offset.',
  },
  SOURCE_ENCODING_UNCLEAR: {
    happened: 'The bytes are neither all UTF-8 nor plausibly Windows-1252.',
    next: 'Nothing is published. `encoding: windows-1252` for the source in datasets.yaml takes every byte as it is; text of another encoding (Mac Roman, a DOS code page, or two in one file) is for the publisher to fix, or for a copy of yours: `iconv -f MACINTOSH -t UTF-8`.',
  },
  SOURCE_DELIMITER_UNCLEAR: {
    happened:
      'More than one delimiter fits the start of the file, or it is one column that looks like more.',
    next: "Look at the file's first lines, then set the source's `delimiter` in datasets.yaml.",
  },
  SOURCE_HEADER_UNCLEAR: {
    happened: 'The first record does not look like the names of the columns below it.',
    next: 'Set for the source in datasets.yaml `header: false` if it is data, `header: true` if it is the header. A title above the header is for the publisher to remove.',
  },
  SOURCE_ENCODING_UNSUPPORTED: {
    happened: 'The file is in an encoding that is not supported (UTF-16, UTF-32).',
    next: 'Use an export in UTF-8 or Windows-1252.',
  },
  SOURCE_RAGGED: {
    happened: 'Records have more or fewer fields than the header.',
    next: 'Nothing is published; look at the records that the message names.',
  },
  SOURCE_QUOTING: {
    happened: 'A quoted field goes on after its closing quote, or a quote never closes.',
    next: 'Nothing is published; look at the offsets that the message names.',
  },
  SOURCE_RECORD_TOO_LONG: {
    happened: 'One record is longer than Longhaul reads: most likely a quote is missing.',
    next: 'Nothing is published; look at the offset that the message names.',
  },
  VALUES_UNCONVERTIBLE: {
    happened: 'Values do not fit the type that datasets.yaml declares for their column.',
    next: "Fix the declared type, or remove it: the type is then found from the file's own values.",
  },
} as const;
