import { CLUSTER, CLUSTER_UNAVAILABLE, STORAGE, STORAGE_UNAVAILABLE } from './service-errors.ts';
import { CONTENT, REFUSED, UNAVAILABLE } from './source-errors.ts';

interface ErrorClassOf {
  /** True if Temporal tries again. */
  retryable: boolean;
  exitCode: number;
  codes: Readonly<Record<string, CatalogueEntry>>;
}

export interface CatalogueEntry {
  /** What happened in general. The error's own message says what happened in this case. */
  happened: string;
  /** What happens next, or what the user can do. */
  next: string;
}

/**
 * The catalogue of all errors that a user may see.
 *
 * A code says what happened; its class says whether a retry helps and how the CLI exits. Nothing else
 * in the code decides retryability: activities map these errors to Temporal's failures in one place.
 */
export const ERROR_CLASSES = {
  internal: {
    retryable: true,
    exitCode: 1,
    codes: {
      INTERNAL: {
        happened: 'Something that this program does not foresee.',
        next: 'Temporal tries again; if it stays, `longhaul show <run>` has the stack to report.',
      },
    },
  },
  usage: {
    retryable: false,
    exitCode: 2,
    codes: {
      USAGE: {
        happened: 'The command line is not valid.',
        next: 'Run the command with --help: it has examples.',
      },
      CONFIG_INVALID: {
        happened: 'The settings (.env, environment) or datasets.yaml do not pass their checks.',
        next: 'Fix every line that the message names, then run the command again.',
      },
      DATASET_UNKNOWN: {
        happened: 'No dataset of that name is in datasets.yaml.',
        next: '`longhaul datasets` lists them; a URL or a path (./my.csv) works without an entry.',
      },
      NAME_INVALID: {
        happened:
          'A dataset name, source id or date has a form that could leave the lake or mislead.',
        next: 'Names are lower-case letters, digits and dashes; dates are YYYY-MM-DD.',
      },
      QUERY_REFUSED: {
        happened: 'The query is not one single SELECT, or reaches outside the lake.',
        next: 'Write one SELECT over the views that `longhaul datasets` lists.',
      },
      QUERY_FAILED: {
        happened: 'DuckDB could not run the query.',
        next: 'Fix the SQL; `longhaul datasets` lists the views, `DESCRIBE <view>` their columns.',
      },
      NOT_PUBLISHED: {
        happened: 'No published snapshot of that dataset and date.',
        next: '`longhaul ingest <dataset>` publishes one; `longhaul datasets` lists what is there.',
      },
      NOT_LANDED: {
        happened: 'There is no landing of that source for that date.',
        next: '`longhaul land <dataset>` lands it; `longhaul convert` takes --date for another day.',
      },
      RUN_UNKNOWN: {
        happened: 'Temporal knows no such run.',
        next: '`longhaul runs` lists the runs.',
      },
      RUN_INPUT_INVALID: {
        happened:
          'The input that a run was started with is not valid, or its workflow id is not that of its dataset and day.',
        next: 'Start it again with the id and the input that docs/schedules.md#starting-a-run-by-hand-in-the-web-ui shows, such as {"dataset":"denver-311"}.',
      },
      SCHEDULE_UNKNOWN: {
        happened: 'Temporal has no schedule of that dataset.',
        next: '`longhaul schedule list` lists them; `longhaul schedule apply` makes those of datasets.yaml.',
      },
      BACKFILL_REFUSED: {
        happened: "A past day was asked for of a source that only has today's version.",
        next:
          'Nothing is published. Addresses with a date ({date} in datasets.yaml) have past days; ' +
          "`longhaul ingest <dataset> --date <day> --as-if` stores today's version as that day's all the same.",
      },
      DATE_IN_FUTURE: {
        happened:
          "A run was asked for of a day that has not begun in the dataset's time zone, or a query as of one that has not begun in any time zone.",
        next: 'Nothing is published. Give today or a past day as --date or --as-of, or leave it out.',
      },
      SECRET_MISSING: {
        happened:
          'An address names a variable, such as ${CITY_TOKEN}, that the worker does not have.',
        next: 'Set it in the environment of the worker, or in its .env, which is read anew each time; then `longhaul retry <run>`.',
      },
      TEMPORAL_DENIED: {
        happened:
          'The Temporal server answers, and denies: the API key or the certificate, or the namespace to them.',
        next: 'Check TEMPORAL_API_KEY or the certificate, and what they may do in TEMPORAL_NAMESPACE.',
      },
      TEMPORAL_NO_NAMESPACE: {
        happened: 'The Temporal server answers, and does not have that namespace.',
        next: 'Set TEMPORAL_NAMESPACE (or fix the profile), or have it made: `temporal operator namespace create`.',
      },
      LAKE_NAMESPACE_TAKEN: {
        happened:
          'The Temporal namespace is used for another lake: each lake needs one of its own.',
        next: 'Set LAKE to that lake, or TEMPORAL_NAMESPACE (of the embedded server: STATE_DIR) to another. For a lake that is gone, terminate the run `longhaul/lake` in that namespace.',
      },
      TEMPORAL_TOO_OLD: {
        happened: 'The Temporal server does not know a call that this needs.',
        next: 'Update the server: docs/operations.md#temporals-server has what was tried.',
      },
      PROGRAM_NOT_INSTALLED: {
        happened: 'An outside program or extension that this needs could not be found or fetched.',
        next: 'Install it, or name its path in .env, as the message says.',
      },
      TOO_MANY_OPEN_FILES: {
        happened: 'The limit on open files, of this process or of the machine, is reached.',
        next: 'Raise it (`ulimit -n 4096` in the shell, LimitNOFILE= of a systemd unit), then run the command again.',
      },
      EMBEDDED_NOT_RUNNING: {
        happened: 'This needs a server that stays: none is running and none is configured.',
        next: 'Run `longhaul up --background`, or set TEMPORAL_ADDRESS.',
      },
      EMR_NEEDS_S3: {
        happened: 'The engine emr was asked for a lake on a disk, which no cluster can read.',
        next: 'Use a lake in a bucket: LAKE=s3://bucket/prefix, or --lake.',
      },
      EMR_TOO_EXPENSIVE: {
        happened:
          'The cluster could take, or took, more instance-hours than EMR_MAX_INSTANCE_HOURS.',
        next: 'Take fewer or shorter: EMR_CORE_COUNT or the file of EMR_REQUEST, EMR_STEP_LIMIT_MINUTES; or raise EMR_MAX_INSTANCE_HOURS.',
      },
    },
  },
  unavailable: { retryable: true, exitCode: 3, codes: UNAVAILABLE },
  refused: { retryable: false, exitCode: 4, codes: REFUSED },
  content: { retryable: false, exitCode: 5, codes: CONTENT },
  storage: { retryable: false, exitCode: 6, codes: STORAGE },
  'storage-unavailable': { retryable: true, exitCode: 6, codes: STORAGE_UNAVAILABLE },
  /** A converter failed, or its output does not balance with the source. */
  conversion: {
    retryable: false,
    exitCode: 7,
    codes: {
      ENGINE_FAILED: {
        happened: 'The converter stopped with an error.',
        next: 'Nothing is published. Try --engine parquetjs, and report the message.',
      },
      ENGINE_OUT_OF_MEMORY: {
        happened: 'The converter needs more memory than its limit.',
        next: 'Raise DUCKDB_MEMORY_LIMIT (of Spark: SPARK_DRIVER_MEMORY) in .env, then `longhaul retry <run>`.',
      },
      LEDGER_UNBALANCED: {
        happened: 'The Parquet rows and rejected rows are not as many as the source records.',
        next: 'Nothing is published. Try --engine parquetjs, and report the two numbers.',
      },
    },
  },
  /** Everything is ready, but the operator should check something before the publication or after it. */
  held: {
    retryable: false,
    exitCode: 8,
    codes: {
      SCHEDULES_LEFT_ALONE: {
        happened: 'Schedules differ from datasets.yaml because they were changed or made by hand.',
        next: 'Look at them in the Web UI; `longhaul schedule apply --force` makes ours equal to the file.',
      },
      SNAPSHOT_LATE: {
        happened: 'The last published snapshot of a dataset is older than its schedule says.',
        next: '`longhaul schedule list` shows its last runs, `longhaul show <run>` why one failed.',
      },
      SOURCES_INCOMPLETE: {
        happened:
          'Some of the sources failed, so the day is not published; the others are converted.',
        next: '`longhaul retry <run>` repeats only what failed.',
      },
      PUBLISHED_MEANWHILE: {
        happened:
          'Another run, of another host, published the same dataset and day while this one was under way.',
        next: 'That snapshot stays, and this run leaves nothing. Run again with --again: it publishes what the publisher has now as a revision beside it.',
      },
      UNPUBLISHED_MEANWHILE: {
        happened:
          'A snapshot that a run had found a source unchanged from, or the one that it was to publish, was unpublished or replaced, or ended, while the run was under way.',
        next: 'Nothing of the run is published. `longhaul retry <run>` asks the publisher about unchanged sources again, and takes the others as they are.',
      },
      SNAPSHOT_CARRIED: {
        happened: 'Later snapshots carry versions of the one that is to be unpublished.',
        next: 'Nothing was unpublished. Add --with-later to unpublish those too, or let it stay.',
      },
      SNAPSHOT_SHRUNK: {
        happened: 'The snapshot has under half the rows of the last one: a truncated publication?',
        next: 'Look at the source; if it is right, run again with --accept.',
      },
      SCHEMA_CHANGED: {
        happened:
          'The columns of the dataset would change (`schema: freeze` in datasets.yaml), or have changed (`schema: report`).',
        next: 'Look at the source. With `freeze` nothing was published: if the source is right, run again with --accept. With `report` the day is published, and the result names the changes.',
      },
    },
  },
  /** Temporal cannot be reached or started. */
  orchestration: {
    retryable: true,
    exitCode: 9,
    codes: {
      SCHEDULE_CHANGED: {
        happened:
          'Another user or command changed a schedule again and again while `apply` changed it.',
        next: 'Each schedule has the last change that was made to it. `longhaul schedule apply --dry-run` shows what is left to do.',
      },
      TEMPORAL_UNREACHABLE: {
        happened: 'No Temporal server answers at the configured address.',
        next: 'Check TEMPORAL_ADDRESS (or TEMPORAL_PROFILE) and TLS, or remove them to use the embedded server.',
      },
      TEMPORAL_NOT_INSTALLED: {
        happened: 'The Temporal program could not be found or fetched.',
        next: 'Set TEMPORAL_CLI to the program, put `temporal` on the PATH, or install Python 3 with venv (Debian: `apt-get install python3-venv`).',
      },
      EMBEDDED_STOPPED: {
        happened: 'The embedded server was stopped under this command, by `longhaul down --force`.',
        next: 'Run the command again: a run under way goes on where it was.',
      },
      WORKER_LOST: {
        happened:
          'The worker that did a step was not heard of for too long: it was killed, cut off, or stuck.',
        next: 'A worker takes the step over where it was; `longhaul doctor` says whether one is there.',
      },
      EMBEDDED_FAILED: {
        happened: 'The embedded Temporal server or its worker did not start.',
        next: 'Its log is in the state folder (STATE_DIR; `data/.longhaul/` by default); `longhaul down`, then try again.',
      },
    },
  },
  cluster: { retryable: false, exitCode: 10, codes: CLUSTER },
  'cluster-unavailable': { retryable: true, exitCode: 10, codes: CLUSTER_UNAVAILABLE },
  cancelled: {
    retryable: false,
    exitCode: 130,
    codes: {
      CANCELLED: {
        happened: 'The run was cancelled.',
        next: 'Nothing of it was published. The next run of the day goes on with what was downloaded, unless --discard threw it away.',
      },
    },
  },
} as const satisfies Record<string, ErrorClassOf>;
