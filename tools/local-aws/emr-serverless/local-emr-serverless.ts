import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../../../src/programs/child.ts';
import { endOf, hangingProgram } from '../emr/machine.ts';
import type { EmrPrograms } from '../programs.ts';
import {
  clientOf,
  makeSite,
  sparkSubmit,
  takeFolder,
  uploadLogs,
  type LocalS3,
} from '../spark-site.ts';
import {
  startServerlessServer,
  type JobRun,
  type JobRuntime,
  type ServerlessServer,
} from './serverless-server.ts';

export interface LocalEmrServerlessOptions {
  /** Folder with a folder for each job run, which is removed with the job run. It is made if it does not exist. */
  folder: string;
  /** S3 with the job runs' data and logs. */
  s3: LocalS3;
  programs: EmrPrograms;
  /** The application's settings of Spark, for job runs without their own. By default there are none. */
  sparkDefaults?: Record<string, string>;
}

/**
 * An EMR Serverless on this machine, on loopback only. spark-submit really runs its job runs, with S3A. All of it ends
 * when this process ends in any way.
 */
export async function startLocalEmrServerless({
  s3,
  programs,
  sparkDefaults = {},
  ...options
}: LocalEmrServerlessOptions): Promise<ServerlessServer> {
  const base = await takeFolder(options.folder);
  const client = clientOf(s3);
  const folderOf = ({ id }: JobRun): string => join(base, `job-${id}`);
  const runtime: JobRuntime = {
    start: async (run, isHanging) => {
      if (isHanging) return hangingProgram();
      const folder = folderOf(run);
      const { applicationConfiguration: own = [] } = run.request.configurationOverrides ?? {};
      const defaults = own.find((each) => each.classification === 'spark-defaults')?.properties;
      const site = await makeSite(folder, {
        s3,
        hdfs: {},
        programs,
        client,
        sparkDefaults: defaults ?? sparkDefaults,
      });
      const { entryPoint = '', entryPointArguments = [] } =
        run.request.jobDriver?.sparkSubmit ?? {};
      const words = sparkSubmit(site, [entryPoint, ...entryPointArguments]);
      const [stdout, stderr] = [join(folder, 'stdout'), join(folder, 'stderr')];
      const child = await startChild(words, { env: site.env, folder, stdout, stderr });
      const code = child.ended.then((end) => end.code);
      // Spark writes the errors of Python to stdout.
      const ended = endOf(code, [stderr, stdout]);
      return { ended, cancel: () => void child.stop(CANCEL_LIMIT_MS) };
    },
    close: async (run) => {
      const { monitoringConfiguration: monitoring } = run.request.configurationOverrides ?? {};
      const uri = monitoring?.s3MonitoringConfiguration?.logUri?.replace(/\/*$/, '');
      const place = `${uri}/applications/${run.request.applicationId}/jobs/${run.id}/SPARK_DRIVER/`;
      if (uri !== undefined) await uploadLogs(client, folderOf(run), ['stderr', 'stdout'], place);
      await rm(folderOf(run), { recursive: true, force: true });
    },
  };
  const server = await startServerlessServer({ identity: s3, runtime });
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    stop: async () => {
      await stop();
      client.destroy();
    },
  });
}

/** Time for a JVM's work after SIGTERM. */
const CANCEL_LIMIT_MS = 10_000;
