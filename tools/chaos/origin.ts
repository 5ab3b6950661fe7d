/**
 * `tools/chaos/origin.ts FOLDER PORT SEED TOKEN`: a publisher that misbehaves until FOLDER has a file `calm`. Prints
 * its URL. It ends when its standard input ends. PORT 0 means a free port.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOrigin, type Answer, type Route } from '../../test/helpers/origin.ts';
import { Random } from '../generate/random.ts';
import type { Published } from './publisher.ts';

/** Slow enough that faults of a storm hit downloads. After the storm there is no limit. */
const STORM_BYTES_PER_SECOND = 4_000_000;
/** A transfer may break at any byte up to here. */
const MAX_AFTER_BYTES = 4_000_000;

const [folder = '', port = '0', seed = '0', token = ''] = process.argv.slice(2);
const random = new Random(Number(seed), 'origin');
const sources = JSON.parse(readFileSync(join(folder, 'sources.json'), 'utf8')) as Published[];
const routes = sources.flatMap((source): [string, Route][] => [
  [`/${source.id}.csv`, (_, { method }) => answer(source, method, '')],
  [`/signed/${source.id}.csv`, (_, { method }) => answer(source, method, token)],
]);
const origin = await startOrigin(Object.fromEntries(routes), { port: Number(port) });
console.log(origin.url);
process.stdin.resume();
process.stdin.once('end', () => void origin.close());

/** Answers with the file of one version only, never with parts of two. A publisher does so by renaming the new file. */
function answer(source: Published, method: string, signedWith: string): Answer {
  const { id, manners, versions } = source;
  if (manners.redirects && signedWith === '') {
    return { redirect: `/signed/${id}.csv?X-Signature=${token}` };
  }
  const version = Number(readFileSync(join(folder, id, 'current'), 'utf8'));
  const file = versions[version] ?? '';
  const { validator, ranges, chunked } = manners;
  const good: Answer = {
    ...{ body: { file }, ranges, chunked },
    ...(validator === 'etag' && { etag: `"${id}-v${version}"` }),
    ...(validator === 'last-modified' && {
      lastModified: new Date(Date.UTC(2026, 10, 20, version)).toUTCString(),
    }),
  };
  if (method === 'HEAD' || existsSync(join(folder, 'calm'))) return good;
  return { bytesPerSecond: STORM_BYTES_PER_SECOND, ...good, ...misbehaviour() };
}

function misbehaviour(): Answer {
  const afterBytes = random.below(MAX_AFTER_BYTES);
  switch (random.below(12)) {
    case 0:
      return { resetAfterBytes: afterBytes };
    case 1:
      return { cutAfterBytes: afterBytes };
    case 2:
      return { stallAfterBytes: afterBytes };
    case 3:
      return { status: 500, body: 'oops' };
    case 4:
      return { status: 503, body: 'busy', headers: { 'retry-after': '1' } };
    case 5:
      return { silent: true };
    default:
      return {};
  }
}
