/** What can go wrong with the engine `emr`: part of the catalogue. */
export const EMR_ERRORS = {
  EMR_NEEDS_S3: {
    class: 'usage',
    happened: 'The engine emr was asked for a lake on a disk, which no cluster can read.',
    next: 'Use a lake in a bucket: LAKE=s3://bucket/prefix, or --lake.',
  },
  EMR_TOO_EXPENSIVE: {
    class: 'usage',
    happened: 'The cluster could take, or took, more instance-hours than EMR_MAX_INSTANCE_HOURS.',
    next: 'Take fewer or shorter: EMR_CORE_COUNT or the file of EMR_REQUEST, EMR_STEP_LIMIT_MINUTES; or raise EMR_MAX_INSTANCE_HOURS.',
  },
  EMR_UNREACHABLE: {
    class: 'cluster-unavailable',
    happened: 'EMR refused, reset or never answered the connection.',
    next: 'The run tries again until its time is up; check AWS_REGION, AWS_ENDPOINT_URL_EMR and your network.',
  },
  EMR_THROTTLED: {
    class: 'cluster-unavailable',
    happened: 'EMR answered that it is asked too often, again and again.',
    next: 'The run tries again, ever more slowly; other programs of the account count too.',
  },
  EMR_UNAVAILABLE: {
    class: 'cluster-unavailable',
    happened: 'EMR answered with an error of its own, again and again.',
    next: 'The run tries again until its time is up.',
  },
  EMR_FORBIDDEN: {
    class: 'cluster',
    happened: 'EMR denies the worker a permission that the run needs.',
    next: 'Grant it (docs/aws.md#emr, iam:PassRole among it), then `longhaul retry <run>`.',
  },
  EMR_CREDENTIALS: {
    class: 'cluster',
    happened: 'There are no AWS credentials, or EMR does not accept them, or they have expired.',
    next: 'Renew them (`aws sso login`, the keys in .env, the instance role), then `longhaul retry <run>`.',
  },
  EMR_REFUSED: {
    class: 'cluster',
    happened:
      'EMR refused a request: a release label, role, subnet or instance type that it does not take.',
    next: 'Fix the EMR_ setting, or the member of EMR_REQUEST, that the message names, then `longhaul retry <run>`.',
  },
  EMR_NO_SUCH_CLUSTER: {
    class: 'cluster',
    happened: 'There is no such cluster, or it has ended.',
    next: 'Fix EMR_CLUSTER_ID, or remove it: a cluster is then made for the run.',
  },
  EMR_NO_CAPACITY: {
    class: 'cluster',
    happened: 'AWS has none of these instances at the moment, or not so many.',
    next: 'Other instance types, another subnet, or later: `longhaul retry <run>`.',
  },
  EMR_START_TIMED_OUT: {
    class: 'cluster',
    happened: 'The cluster was not ready within 40 minutes.',
    next: 'The message has EMR’s reason: other instance types, another subnet, shorter bootstrap actions; then `longhaul retry <run>`.',
  },
  EMR_BOOTSTRAP_FAILED: {
    class: 'cluster',
    happened: 'A bootstrap action failed.',
    next: 'Look at its log, below node/ where the message says; then `longhaul retry <run>`.',
  },
  EMR_CLUSTER_FAILED: {
    class: 'cluster',
    happened: 'The cluster ended with an error.',
    next: 'Fix what the message says, then `longhaul retry <run>`.',
  },
  EMR_CLUSTER_LOST: {
    class: 'cluster',
    happened: 'The cluster lost its instances, or ended while no run used it, more than once.',
    next: 'Use on-demand instances or others (EMR_REQUEST), then `longhaul retry <run>`.',
  },
  EMR_CLUSTER_ENDED: {
    class: 'cluster',
    happened: 'A user terminated the cluster.',
    next: 'If that was a mistake: `longhaul retry <run>`.',
  },
  EMR_CLUSTER_LEFT: {
    class: 'cluster',
    happened:
      'The day is published, and EMR did not take the end of its cluster for a day: it may still cost.',
    next: '`longhaul sweep` ends it; so does the cluster itself, at the latest when EMR_MAX_INSTANCE_HOURS are used.',
  },
  EMR_STEPS_FULL: {
    class: 'cluster-unavailable',
    happened: 'The cluster takes no more steps for now: EMR allows 256 that wait or run.',
    next: 'The run waits for room; other programs use the cluster of EMR_CLUSTER_ID too.',
  },
  EMR_STEP_FAILED: {
    class: 'cluster',
    happened: 'A step failed on the cluster.',
    next: 'Nothing is published. The message has the probable cause; `longhaul show <run>` has the end of the log.',
  },
  EMR_STEP_TIMED_OUT: {
    class: 'cluster',
    happened: 'A step did not end within EMR_STEP_LIMIT_MINUTES, or did not start.',
    next: 'Give it longer, or a larger cluster; then `longhaul retry <run>`.',
  },
  EMR_STEP_CANCELLED: {
    class: 'cluster',
    happened: 'A user cancelled a step of the run.',
    next: 'If that was a mistake: `longhaul retry <run>`.',
  },
  EMR_OUTPUT_EXISTS: {
    class: 'cluster',
    happened:
      'HDFS of the cluster has a published snapshot of that dataset, day and revision already.',
    next: 'Remove it there, use another cluster, or publish a new revision with --again.',
  },
} as const;
