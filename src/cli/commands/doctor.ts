import { Command, Option } from 'commander';
import { TARGETS, type Target } from '../../model/run.ts';
import type { CliContext } from '../context.ts';
import { examples, withJson } from './options.ts';

export function doctorCommand(context: CliContext): Command {
  const command = new Command('doctor')
    .summary('look whether everything is as it should be')
    .description(
      'Checks Node, the settings, Temporal, the disk and, with an S3_BUCKET, what the lake needs of S3: a line ' +
        'each, and what mends a problem. In S3 a small file is landed, read and removed again, and what fails ' +
        'first is named. Exit code 2 where there is a problem.',
    )
    .addOption(
      new Option(
        '--target <target>',
        'disk leaves S3 out, s3 insists on it (default: S3 where S3_BUCKET is set)',
      ).choices(TARGETS),
    );
  withJson(command).action(async (flags: { target?: Target; json?: boolean }) => {
    const { doctor } = await import('../doctor.ts');
    await doctor(context, flags);
  });
  return examples(command, ['doctor', 'doctor --target s3 --json']);
}
