import type { S3Settings } from '../../config/settings.ts';
import { hintOf, LonghaulError } from '../../model/errors.ts';
import { probeZone, ZONE_PROBE_LIMIT_MS } from '../../storage/s3/scratch-check.ts';
import type { ZoneProbe } from '../../storage/s3/scratch-probe.ts';
import {
  findCredentials,
  findRegion,
  findUploadRules,
  openTrial,
  reachBucket,
  type S3Trial,
} from '../../storage/s3/trial.ts';
import type { Check, Finding } from './check.ts';
import { checksumsFinding, conditionalFinding, zoneFinding } from './s3-zone.ts';
import { clockFinding, uploadRuleFinding } from './s3-bucket.ts';

/** The provider chain may ask an instance's metadata, a container's, or a program. */
const CREDENTIALS_LIMIT_MS = 15_000;
/** Two tries of one request, each with a connection of its own. */
const REQUEST_LIMIT_MS = 25_000;
/** Something that earlier checks have found. */
const INSTANT_MS = 1000;

/** In order: each needs what those before it have found. */
export function s3Checks(settings: S3Settings): Check[] {
  const trial = openTrial(settings);
  const probes: ZoneProbe[] = [];
  return [
    {
      ...named('s3-credentials', 'S3 credentials', CREDENTIALS_LIMIT_MS),
      gate: true,
      run: async () => await credentials(trial),
    },
    {
      ...named('s3-bucket', 'S3 bucket', REQUEST_LIMIT_MS),
      gate: true,
      run: async (signal) => await bucket(trial, signal),
    },
    zoneCheck(trial, 'raw', probes),
    zoneCheck(trial, 'converted', probes),
    {
      ...named('s3-if-none-match', 'S3 If-None-Match', INSTANT_MS),
      run: async () => await Promise.resolve(conditionalFinding(probes)),
    },
    {
      ...named('s3-checksums', 'S3 checksums', INSTANT_MS),
      run: async () => await Promise.resolve(checksumsFinding(settings, probes)),
    },
    {
      ...named('s3-lifecycle', 'S3 lifecycle', REQUEST_LIMIT_MS),
      run: async (signal) =>
        uploadRuleFinding(settings.bucket, await findUploadRules(trial, signal)),
    },
    {
      ...named('clock', 'Clock', INSTANT_MS),
      always: true,
      run: async () => await Promise.resolve(clockFinding(trial.seen.clockSkewMs)),
    },
  ];
}

/** `--target s3`, and no bucket to look at. */
export function missingBucketCheck(): Check {
  const fix = 'Set S3_BUCKET in .env or the environment.';
  return {
    ...named('s3-bucket', 'S3 bucket', INSTANT_MS),
    run: async () =>
      await Promise.resolve<Finding>({ status: 'problem', found: 'no bucket is set', fix }),
  };
}

function named(id: string, title: string, limitMs: number) {
  return { id, title, limitMs };
}

function zoneCheck(trial: S3Trial, zone: 'raw' | 'converted', probes: ZoneProbe[]): Check {
  const { bucket, rawPrefix, convertedPrefix } = trial.settings;
  const prefix = zone === 'raw' ? rawPrefix : convertedPrefix;
  return {
    ...named(`s3-${zone}`, `S3 ${zone} zone`, ZONE_PROBE_LIMIT_MS),
    run: async (signal) => {
      const probe = await probeZone(trial, prefix, signal);
      probes.push(probe);
      return zoneFinding(bucket, prefix, probe);
    },
  };
}

async function credentials(trial: S3Trial): Promise<Finding> {
  const { accessKeyId, expiresAt } = await withFixes(trial, async () => {
    return await findCredentials(trial);
  });
  const region = await findRegion(trial);
  const until = expiresAt ? `, valid until ${expiresAt.toISOString()}` : '';
  const key = `access key …${accessKeyId.slice(-SHOWN_OF_KEY)}${until}`;
  if (region !== undefined) return { status: 'ok', found: `${key}; region ${region}` };
  return {
    status: 'problem',
    found: `${key}; no region is set`,
    fix: 'Set AWS_REGION to the region of the bucket.',
  };
}

/** Enough to tell two keys apart. */
const SHOWN_OF_KEY = 4;

async function bucket(trial: S3Trial, signal: AbortSignal): Promise<Finding> {
  const name = trial.settings.bucket;
  try {
    await withFixes(trial, async () => await reachBucket(trial, signal));
  } catch (error) {
    // It is there: which permissions are missing is what the next checks say.
    if (!(error instanceof LonghaulError) || error.code !== 'STORE_FORBIDDEN') throw error;
    return { status: 'unknown', found: `${name} answers, and denies to be listed` };
  }
  const { bucketRegion } = trial.seen;
  const where = bucketRegion === undefined ? '' : ` in ${bucketRegion}`;
  return { status: 'ok', found: `${name}${where} answers` };
}

/** Of somebody who has no run under way yet. */
async function withFixes<T>(trial: S3Trial, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof LonghaulError)) throw error;
    const hint = fixOf(error, trial);
    throw new LonghaulError(error.code, error.message, { hint }, { cause: error.cause });
  }
}

function fixOf({ code }: LonghaulError, { seen }: S3Trial): string {
  switch (code) {
    case 'STORE_CREDENTIALS':
      return 'Renew them: `aws sso login`, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the instance role.';
    case 'STORE_WRONG_REGION':
      return `Set AWS_REGION${seen.bucketRegion === undefined ? ' to the region of the bucket' : `=${seen.bucketRegion}`}.`;
    case 'STORE_UNREACHABLE':
      return 'Check AWS_ENDPOINT_URL_S3, AWS_REGION and the network.';
    case 'STORE_UNAVAILABLE':
      return 'The store has a fault or is busy: try again later.';
    default:
      return hintOf(code);
  }
}
