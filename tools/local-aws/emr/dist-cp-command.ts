/**
 * The arguments of Hadoop's DistCp that do what Amazon's `s3-dist-cp --src … --dest …` does: what lies below the source
 * lands below the destination, whatever is there is overwritten.
 * @throws Error that says what this s3-dist-cp does not know.
 */
export function distCpArguments(args: readonly string[]): string[] {
  const { src, dest } = readOptions(args);
  if (src === undefined || dest === undefined) {
    throw new Error('s3-dist-cp needs --src and --dest.');
  }
  // Written in place: a rename in S3 is a copy.
  return ['-direct', '-overwrite', '-m', MAX_COPIERS, src, dest];
}

/** Files on their way at once. */
const MAX_COPIERS = '4';

function readOptions(args: readonly string[]): Partial<Record<'src' | 'dest', string>> {
  const found: Partial<Record<'src' | 'dest', string>> = {};
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    const [, name = '', inline] = /^--(src|dest)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name !== 'src' && name !== 'dest') {
      throw new Error(
        `The local s3-dist-cp knows --src and --dest, and no ${JSON.stringify(arg)}.`,
      );
    }
    if (inline === undefined) index += 1;
    const value = inline ?? args[index];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
