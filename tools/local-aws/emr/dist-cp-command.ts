/** Hadoop's DistCp, as Amazon's `s3-dist-cp` asks for it. */
export interface DistCp {
  args: string[];
  /** For the file of DistCp's `-filters`: what matches it is not copied. */
  exclusion: string | undefined;
}

/**
 * The DistCp that does what `s3-dist-cp --src … --dest … --srcPattern …` does: what lies below the source, and matches
 * as a whole path, lands below the destination under the same relative path; what is there is overwritten.
 * @throws Error that says what this s3-dist-cp does not know.
 */
export function readDistCp(args: readonly string[]): DistCp {
  const { src, dest, srcPattern: pattern } = readOptions(args);
  if (src === undefined || dest === undefined) {
    throw new Error('s3-dist-cp needs --src and --dest.');
  }
  return {
    // Written in place: a rename in S3 is a copy.
    args: ['-direct', '-overwrite', '-m', MAX_COPIERS, src, dest],
    // DistCp looks into folders that it excludes too.
    exclusion: pattern === undefined ? undefined : `(?s)(?!(?:${pattern})\\z).*`,
  };
}

/** Files on their way at once. */
const MAX_COPIERS = '4';

const OPTIONS = ['src', 'dest', 'srcPattern'] as const;
type Options = Partial<Record<(typeof OPTIONS)[number], string>>;

function readOptions(args: readonly string[]): Options {
  const found: Options = {};
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    const [, given = '', inline] = /^--(\w+)(?:=(.*))?$/s.exec(arg) ?? [];
    const name = OPTIONS.find((option) => option === given);
    if (name === undefined) {
      const known = OPTIONS.map((option) => `--${option}`).join(', ');
      throw new Error(`The local s3-dist-cp knows ${known}, and no ${JSON.stringify(arg)}.`);
    }
    if (inline === undefined) index += 1;
    const value = inline ?? args[index];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
