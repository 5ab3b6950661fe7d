/** The lake's own disk or bucket, and its Iceberg tables. */
export const STORAGE = {
  DISK_FULL: {
    happened: 'The disk is full, or a file will not fit on it.',
    next: 'Free space (or move the lake, and point LAKE there); `longhaul retry <run>` goes on from there.',
  },
  LAKE_NOT_WRITABLE: {
    happened:
      'The lake or the state folder cannot be written: no permission, or a read-only file system.',
    next: 'Give it permission, or move the lake, and point LAKE there; then `longhaul retry <run>`.',
  },
  LAKE_CORRUPT: {
    happened: 'A stored file is missing, or differs from what its manifest says.',
    next: 'Restore the file, or publish the day again with --again; readers still see the manifest.',
  },
  MANIFEST_UNREADABLE: {
    happened:
      'A manifest, or another file that the proof rests on, is damaged or was written by a newer Longhaul.',
    next: 'Restore the file that the message names, or update Longhaul. A day whose manifest is moved away counts as not published: run it again.',
  },
  TABLE_UNREADABLE: {
    happened: 'A file of the Iceberg table is damaged or gone. The published days are not touched.',
    next: '`longhaul table rebuild <dataset>` makes the table anew from the manifests.',
  },
  TABLE_FOREIGN_COMMIT: {
    happened:
      'Another program than Longhaul has written to the Iceberg table, which Longhaul does not overwrite. The published days are not touched.',
    next: 'Keep what that program wrote elsewhere; then `longhaul table rebuild <dataset>` makes the table anew from the manifests.',
  },
  GLUE_TABLE_FOREIGN: {
    happened:
      'AWS Glue has a table of that name which is not the one of this lake. It is left as it is.',
    next: 'Drop or rename that table, or set another GLUE_DATABASE: two lakes need two. The Iceberg table itself is up to date.',
  },
  GLUE_REFUSED: {
    happened:
      'AWS Glue refused a request: no such database, a missing permission, or no credentials.',
    next: 'Make the database of GLUE_DATABASE, or grant what docs/aws.md lists. The Iceberg table itself is up to date; the next run enters it.',
  },
  STORE_FORBIDDEN: {
    happened: 'S3 denies the worker a permission that the lake needs.',
    next: 'Grant the permission that the message names (docs/aws.md#the-least-policy), then `longhaul retry <run>`, or the command again.',
  },
  STORE_CREDENTIALS: {
    happened:
      'There are no AWS credentials, or S3 does not accept them, or they have expired and nothing renews them.',
    next: 'Renew them (`aws sso login`, the keys in .env, the instance role), then `longhaul retry <run>`, or the command again.',
  },
  STORE_NO_BUCKET: {
    happened: 'The bucket does not exist.',
    next: 'Create it, or fix LAKE; docs/aws.md#the-bucket says how it should be set.',
  },
  STORE_WRONG_REGION: {
    happened: 'The bucket is in another region than the one that is asked.',
    next: 'Set AWS_REGION to the region of the bucket.',
  },
  STORE_FULL: {
    happened: 'The bucket, or the account behind it, takes no more data.',
    next: 'Raise its quota or free space; `longhaul retry <run>` goes on with the parts that S3 has.',
  },
  STORE_REFUSED: {
    happened: 'S3 refused a request in a way that a retry will not change.',
    next: 'A store that lacks a feature of S3 may need S3_CHECKSUMS=false (docs/aws.md#other-stores); `longhaul doctor` tries what it can do.',
  },
} as const;

/** The bucket cannot be reached or answers with errors for now. Waiting may help. */
export const STORAGE_UNAVAILABLE = {
  GLUE_UNAVAILABLE: {
    happened: 'AWS Glue did not answer, or answered with a 5xx or that it was asked too often.',
    next: 'A run tries again. The Iceberg table itself is up to date; the next run enters it.',
  },
  STORE_UNREACHABLE: {
    happened: 'S3 refused, reset or never answered the connection.',
    next: 'Check AWS_ENDPOINT_URL_S3 and the network. A run tries again until its time is up; run any other command again.',
  },
  STORE_UNAVAILABLE: {
    happened: 'S3 answered SlowDown, a 5xx or RequestTimeout, again and again.',
    next: 'A run tries again and goes on with the parts that S3 has; run any other command again. `longhaul doctor` looks at the bucket.',
  },
  UPLOAD_LOST: {
    happened:
      'An unfinished upload is gone: aborted by a lifecycle rule, a sweep or another worker.',
    next: 'The run starts that file again from its first byte.',
  },
} as const;

/** The EMR cluster or a step on it failed, or EMR does not provide a cluster. */
export const CLUSTER = {
  EMR_FORBIDDEN: {
    happened: 'EMR denies the worker a permission that the run needs.',
    next: 'Grant it (docs/aws.md#emr, iam:PassRole among it), then `longhaul retry <run>`.',
  },
  EMR_CREDENTIALS: {
    happened: 'There are no AWS credentials, or EMR does not accept them, or they have expired.',
    next: 'Renew them (`aws sso login`, the keys in .env, the instance role), then `longhaul retry <run>`.',
  },
  EMR_REFUSED: {
    happened:
      'EMR refused a request: a release label, role, subnet or instance type that it does not take.',
    next: 'Fix the EMR_ setting, or the member of EMR_REQUEST, that the message names, then `longhaul retry <run>`.',
  },
  EMR_NO_SUCH_CLUSTER: {
    happened: 'There is no such cluster, or it has ended.',
    next: 'Fix EMR_CLUSTER_ID, or remove it: a cluster is then made for the run.',
  },
  EMR_NO_CAPACITY: {
    happened: 'AWS has none of these instances at the moment, or not so many.',
    next: 'Other instance types, another subnet, or later: `longhaul retry <run>`.',
  },
  EMR_START_TIMED_OUT: {
    happened: 'The cluster was not ready within 40 minutes.',
    next: 'The message has EMR’s reason: other instance types, another subnet, shorter bootstrap actions; then `longhaul retry <run>`.',
  },
  EMR_BOOTSTRAP_FAILED: {
    happened: 'A bootstrap action failed.',
    next: 'Look at its log, below node/ where the message says; then `longhaul retry <run>`.',
  },
  EMR_CLUSTER_FAILED: {
    happened: 'The cluster ended with an error.',
    next: 'Fix what the message says, then `longhaul retry <run>`.',
  },
  EMR_CLUSTER_LOST: {
    happened: 'The cluster lost its instances, or ended while no run used it, more than once.',
    next: 'Use on-demand instances or others (EMR_REQUEST), then `longhaul retry <run>`.',
  },
  EMR_CLUSTER_ENDED: {
    happened: 'A user terminated the cluster.',
    next: 'If that was a mistake: `longhaul retry <run>`.',
  },
  EMR_CLUSTER_LEFT: {
    happened:
      'The day is published, and EMR did not accept the request to end its cluster for a day: the cluster may still cost.',
    next: '`longhaul sweep` ends it; so does the cluster itself, at the latest when EMR_MAX_INSTANCE_HOURS are used.',
  },
  EMR_STEP_FAILED: {
    happened: 'A step failed on the cluster.',
    next: 'Nothing is published. The message has the probable cause; `longhaul show <run>` has the end of the log.',
  },
  EMR_STEP_TIMED_OUT: {
    happened: 'A step did not end within EMR_STEP_LIMIT_MINUTES, or did not start.',
    next: 'Give it longer, or a larger cluster; then `longhaul retry <run>`.',
  },
  EMR_STEP_CANCELLED: {
    happened: 'A user cancelled a step of the run.',
    next: 'If that was a mistake: `longhaul retry <run>`.',
  },
  EMR_OUTPUT_EXISTS: {
    happened:
      'HDFS of the cluster has a published snapshot of that dataset, day and revision already.',
    next: 'Remove it there, use another cluster, or publish a new revision with --again.',
  },
} as const;

/** EMR cannot be reached or answers with errors for now. Waiting may help. */
export const CLUSTER_UNAVAILABLE = {
  EMR_UNREACHABLE: {
    happened: 'EMR refused, reset or never answered the connection.',
    next: 'The run tries again until its time is up; check AWS_REGION, AWS_ENDPOINT_URL_EMR and your network.',
  },
  EMR_THROTTLED: {
    happened: 'EMR answered that it is asked too often, again and again.',
    next: 'The run tries again, ever more slowly; other programs of the account count too.',
  },
  EMR_UNAVAILABLE: {
    happened: 'EMR answered with an error of its own, again and again.',
    next: 'The run tries again until its time is up.',
  },
  EMR_STEPS_FULL: {
    happened: 'The cluster takes no more steps for now: EMR allows 256 that wait or run.',
    next: 'The run waits for room; other programs use the cluster of EMR_CLUSTER_ID too.',
  },
} as const;
