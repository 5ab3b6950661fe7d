import { EMR_ERRORS } from './emr-errors.ts';
import type { ErrorClass } from './error-classes.ts';
import { SOURCE_ERRORS } from './source-errors.ts';
import { TABLE_ERRORS } from './table-errors.ts';

interface CatalogueEntry {
  class: ErrorClass;
  /** What happened, in general; the error's own message says it of this case. */
  happened: string;
  /** What happens next, or what the user can do. */
  next: string;
}

export const ERROR_CATALOGUE = {
  INTERNAL: {
    class: 'internal',
    happened: 'Something that this program does not foresee.',
    next: 'Temporal tries again; if it stays, `longhaul show <run>` has the stack to report.',
  },
  USAGE: {
    class: 'usage',
    happened: 'The command line does not fit.',
    next: 'Run the command with --help: it has examples.',
  },
  CONFIG_INVALID: {
    class: 'usage',
    happened: 'The settings (.env, environment) or datasets.yaml do not pass their checks.',
    next: 'Fix every line that the message names, then run the command again.',
  },
  DATASET_UNKNOWN: {
    class: 'usage',
    happened: 'No dataset of that name is in datasets.yaml.',
    next: '`longhaul datasets` lists them; a URL or a path (./my.csv) works without an entry.',
  },
  NAME_INVALID: {
    class: 'usage',
    happened: 'A dataset name, source id or date has a form that could leave the lake or mislead.',
    next: 'Names are lower-case letters, digits and dashes; dates are YYYY-MM-DD.',
  },
  QUERY_REFUSED: {
    class: 'usage',
    happened: 'The query is not one single SELECT, or reaches outside the lake.',
    next: 'Write one SELECT over the views that `longhaul datasets` lists.',
  },
  QUERY_FAILED: {
    class: 'usage',
    happened: 'DuckDB could not run the query.',
    next: 'Fix the SQL; `longhaul datasets` lists the views, `DESCRIBE <view>` their columns.',
  },
  NOT_PUBLISHED: {
    class: 'usage',
    happened: 'No published snapshot of that dataset and date.',
    next: '`longhaul ingest <dataset>` publishes one; `longhaul datasets` lists what is there.',
  },
  NOT_LANDED: {
    class: 'usage',
    happened: 'There is no landing of that source for that date.',
    next: '`longhaul land <dataset>` lands it; `longhaul convert` takes --date for another day.',
  },
  RUN_UNKNOWN: {
    class: 'usage',
    happened: 'Temporal knows no such run.',
    next: '`longhaul runs` lists the runs.',
  },
  RUN_INPUT_INVALID: {
    class: 'usage',
    happened:
      'The input that a run was started with is not one, or its workflow id is not that of its dataset and day.',
    next: 'Start it again with the id and the input that docs/schedules.md#starting-a-run-by-hand-in-the-web-ui shows, such as {"dataset":"denver-311"}.',
  },
  SCHEDULE_UNKNOWN: {
    class: 'usage',
    happened: 'Temporal has no schedule of that dataset.',
    next: '`longhaul schedule list` lists them; `longhaul schedule apply` makes those of datasets.yaml.',
  },
  BACKFILL_REFUSED: {
    class: 'usage',
    happened: "A past day was asked for of a source that only has today's version.",
    next:
      'Nothing is published. Addresses with a date ({date} in datasets.yaml) have past days; ' +
      "`longhaul ingest <dataset> --date <day> --as-if` stores today's version as that day's all the same.",
  },
  DATE_IN_FUTURE: {
    class: 'usage',
    happened:
      "A run was asked for of a day that has not begun in the dataset's time zone, or a query as of one that has begun nowhere.",
    next: 'Nothing is published. Give today or a past day as --date or --as-of, or leave it out.',
  },
  SCHEDULE_CHANGED: {
    class: 'orchestration',
    happened:
      'Another user or command changed a schedule again and again while `apply` changed it.',
    next: 'Each schedule is as one of you left it. `longhaul schedule apply --dry-run` shows what is left to do.',
  },
  SCHEDULES_LEFT_ALONE: {
    class: 'held',
    happened: 'Schedules differ from datasets.yaml because they were changed or made by hand.',
    next: 'Look at them in the Web UI; `longhaul schedule apply --force` makes ours equal to the file.',
  },
  SNAPSHOT_LATE: {
    class: 'held',
    happened: 'The last published snapshot of a dataset is older than its schedule says.',
    next: '`longhaul schedule list` shows its last runs, `longhaul show <run>` why one failed.',
  },
  ...SOURCE_ERRORS,
  DISK_FULL: {
    class: 'storage',
    happened: 'The disk is full, or a file will not fit on it.',
    next: 'Free space (or move the lake, and point LAKE there); `longhaul retry <run>` goes on from there.',
  },
  LAKE_NOT_WRITABLE: {
    class: 'storage',
    happened:
      'The lake or the state folder cannot be written: no permission, or a read-only file system.',
    next: 'Give it permission, or move the lake, and point LAKE there; then `longhaul retry <run>`.',
  },
  LAKE_CORRUPT: {
    class: 'storage',
    happened: 'A stored file is missing, or differs from what its manifest says.',
    next: 'Restore the file, or publish the day again with --again; readers still see the manifest.',
  },
  MANIFEST_UNREADABLE: {
    class: 'storage',
    happened:
      'A manifest, or another file that the proof rests on, is damaged or was written by a newer Longhaul.',
    next: 'Restore the file that the message names, or update Longhaul. A day whose manifest is moved away counts as not published: run it again.',
  },
  ...TABLE_ERRORS,
  STORE_UNREACHABLE: {
    class: 'storage-unavailable',
    happened: 'S3 refused, reset or never answered the connection.',
    next: 'Check AWS_ENDPOINT_URL_S3 and the network. A run tries again until its time is up; run any other command again.',
  },
  STORE_UNAVAILABLE: {
    class: 'storage-unavailable',
    happened: 'S3 answered SlowDown, a 5xx or RequestTimeout, again and again.',
    next: 'A run tries again and goes on with the parts that S3 has; run any other command again. `longhaul doctor` looks at the bucket.',
  },
  UPLOAD_LOST: {
    class: 'storage-unavailable',
    happened:
      'An unfinished upload is gone: aborted by a lifecycle rule, a sweep or another worker.',
    next: 'The run starts that file again from its first byte.',
  },
  STORE_FORBIDDEN: {
    class: 'storage',
    happened: 'S3 denies the worker a permission that the lake needs.',
    next: 'Grant the permission that the message names (docs/aws.md#the-least-policy), then `longhaul retry <run>`, or the command again.',
  },
  STORE_CREDENTIALS: {
    class: 'storage',
    happened:
      'There are no AWS credentials, or S3 does not accept them, or they have expired and nothing renews them.',
    next: 'Renew them (`aws sso login`, the keys in .env, the instance role), then `longhaul retry <run>`, or the command again.',
  },
  STORE_NO_BUCKET: {
    class: 'storage',
    happened: 'The bucket does not exist.',
    next: 'Create it, or fix LAKE; docs/aws.md#the-bucket says how it should be set.',
  },
  STORE_WRONG_REGION: {
    class: 'storage',
    happened: 'The bucket is in another region than the one that is asked.',
    next: 'Set AWS_REGION to the region of the bucket.',
  },
  STORE_FULL: {
    class: 'storage',
    happened: 'The bucket, or the account behind it, takes no more data.',
    next: 'Raise its quota or free space; `longhaul retry <run>` goes on with the parts that S3 has.',
  },
  STORE_REFUSED: {
    class: 'storage',
    happened: 'S3 refused a request in a way that a retry will not change.',
    next: 'A store that lacks a feature of S3 may need S3_CHECKSUMS=false (docs/aws.md#other-stores); `longhaul doctor` tries what it can do.',
  },
  ENGINE_FAILED: {
    class: 'conversion',
    happened: 'The converter stopped with an error.',
    next: 'Nothing is published. Try --engine parquetjs, and report the message.',
  },
  ENGINE_OUT_OF_MEMORY: {
    class: 'conversion',
    happened: 'The converter needs more memory than its limit.',
    next: 'Raise DUCKDB_MEMORY_LIMIT (of Spark: SPARK_DRIVER_MEMORY) in .env, then `longhaul retry <run>`.',
  },
  LEDGER_UNBALANCED: {
    class: 'conversion',
    happened: 'The Parquet rows and rejected rows are not as many as the source records.',
    next: 'Nothing is published. Try --engine parquetjs, and report the two numbers.',
  },
  SOURCES_INCOMPLETE: {
    class: 'held',
    happened: 'Some of the sources failed, so the day is not published; the others are converted.',
    next: '`longhaul retry <run>` repeats only what failed.',
  },
  PUBLISHED_MEANWHILE: {
    class: 'held',
    happened:
      'Another run, of another host, published the same dataset and day while this one was under way.',
    next: 'That snapshot stays, and this run leaves nothing. Run again with --again: it publishes what the publisher has now as a revision beside it.',
  },
  UNPUBLISHED_MEANWHILE: {
    class: 'held',
    happened:
      'A snapshot that a run had found a source unchanged from, or the one that it was to publish, was unpublished or replaced, or ended, while the run was under way.',
    next: 'Nothing of the run is published. `longhaul retry <run>` asks the publisher about unchanged sources again, and takes the others as they are.',
  },
  SNAPSHOT_CARRIED: {
    class: 'held',
    happened: 'Later snapshots carry versions of the one that is to be unpublished.',
    next: 'Nothing was unpublished. Add --with-later to unpublish those too, or let it stay.',
  },
  SNAPSHOT_SHRUNK: {
    class: 'held',
    happened: 'The snapshot has under half the rows of the last one: a truncated publication?',
    next: 'Look at the source; if it is right, run again with --accept.',
  },
  SCHEMA_CHANGED: {
    class: 'held',
    happened:
      'The columns of the dataset would change (`schema: freeze` in datasets.yaml), or have changed (`schema: report`).',
    next: 'Look at the source. With `freeze` nothing was published: if the source is right, run again with --accept. With `report` the day is published, and the result names the changes.',
  },
  TEMPORAL_UNREACHABLE: {
    class: 'orchestration',
    happened: 'No Temporal server answers at the configured address.',
    next: 'Check TEMPORAL_ADDRESS (or TEMPORAL_PROFILE) and TLS, or remove them to use the embedded server.',
  },
  TEMPORAL_DENIED: {
    class: 'usage',
    happened:
      'The Temporal server answers, and denies: the API key or the certificate, or the namespace to them.',
    next: 'Check TEMPORAL_API_KEY or the certificate, and what they may do in TEMPORAL_NAMESPACE.',
  },
  TEMPORAL_NO_NAMESPACE: {
    class: 'usage',
    happened: 'The Temporal server answers, and does not have that namespace.',
    next: 'Set TEMPORAL_NAMESPACE (or fix the profile), or have it made: `temporal operator namespace create`.',
  },
  LAKE_NAMESPACE_TAKEN: {
    class: 'usage',
    happened: 'The Temporal namespace is used for another lake: each lake needs one of its own.',
    next: 'Set LAKE to that lake, or TEMPORAL_NAMESPACE (of the embedded server: STATE_DIR) to another. For a lake that is gone, terminate the run `longhaul/lake` in that namespace.',
  },
  TEMPORAL_TOO_OLD: {
    class: 'usage',
    happened: 'The Temporal server does not know a call that this needs.',
    next: 'Update the server: docs/operations.md#temporals-server has what was tried.',
  },
  TEMPORAL_NOT_INSTALLED: {
    class: 'orchestration',
    happened: 'The Temporal program could not be found or fetched.',
    next: 'Set TEMPORAL_CLI to the program, put `temporal` on the PATH, or install Python 3 with venv (Debian: `apt-get install python3-venv`).',
  },
  PROGRAM_NOT_INSTALLED: {
    class: 'usage',
    happened: 'An outside program or extension that this needs could not be found or fetched.',
    next: 'Install it, or name its path in .env, as the message says.',
  },
  TOO_MANY_OPEN_FILES: {
    class: 'usage',
    happened: 'The limit on open files, of this process or of the machine, is reached.',
    next: 'Raise it (`ulimit -n 4096` in the shell, LimitNOFILE= of a systemd unit), then run the command again.',
  },
  EMBEDDED_NOT_RUNNING: {
    class: 'usage',
    happened: 'This needs a server that stays: none is running and none is configured.',
    next: 'Run `longhaul up --background`, or set TEMPORAL_ADDRESS.',
  },
  EMBEDDED_STOPPED: {
    class: 'orchestration',
    happened: 'The embedded server was stopped under this command, by `longhaul down --force`.',
    next: 'Run the command again: a run under way goes on where it was.',
  },
  WORKER_LOST: {
    class: 'orchestration',
    happened:
      'The worker that did a step was not heard of for too long: it was killed, cut off, or stuck.',
    next: 'A worker takes the step over where it was; `longhaul doctor` says whether one is there.',
  },
  EMBEDDED_FAILED: {
    class: 'orchestration',
    happened: 'The embedded Temporal server or its worker did not start.',
    next: 'Its log is in the state folder (STATE_DIR; `data/.longhaul/` by default); `longhaul down`, then try again.',
  },
  ...EMR_ERRORS,
  CANCELLED: {
    class: 'cancelled',
    happened: 'The run was cancelled.',
    next: 'Nothing of it was published. The next run of the day goes on with what was downloaded, unless --discard threw it away.',
  },
} as const satisfies Record<string, CatalogueEntry>;
