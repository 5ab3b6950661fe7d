import { instanceHours, type EmrProgress } from '../../model/emr.ts';
import { printable } from '../../model/names.ts';

/** The cluster, and a line a step that has not completed; `EMR j-…: STARTING, Provisioning Amazon EC2 capacity`. */
export function emrLines(
  { cluster, steps, earlierInstanceHours }: EmrProgress,
  nowMs: number,
): string[] {
  if (!cluster) return [];
  const { id, state, reason, isOurs } = cluster;
  const hours = earlierInstanceHours + (isOurs ? hoursOf(cluster, nowMs, earlierInstanceHours) : 0);
  const facts = [
    `EMR ${id}: ${state}`,
    ...(reason === undefined || reason === '' ? [] : [reason]),
    ...(isOurs ? [] : ['not ours']),
    ...(hours > 0 ? [`${hours.toFixed(2)} instance-hours so far`] : []),
  ];
  const open = steps.filter((step) => step.state !== 'COMPLETED');
  return [
    facts.join(', '),
    ...open.map((step) => {
      const why = step.reason === undefined ? '' : `, ${step.reason}`;
      return `EMR ${step.kind} of ${step.source} (${step.id}): ${step.state}${why}`;
    }),
  ].map((line) => printable(line));
}

/** For `longhaul show`: all of it, with where the logs lie. */
export function emrText(emr: EmrProgress, nowMs: number): string[] {
  const done = emr.steps.filter(({ state }) => state === 'COMPLETED').length;
  const { logUri } = emr.cluster ?? {};
  return [
    ...emrLines(emr, nowMs),
    ...(done > 0 ? [`EMR steps completed: ${done} of ${emr.steps.length}`] : []),
    ...(logUri === undefined ? [] : [`EMR logs: ${printable(logUri)}`]),
  ];
}

/** Of the cluster in use; one that has ended is among the earlier ones already. */
function hoursOf(
  cluster: NonNullable<EmrProgress['cluster']>,
  nowMs: number,
  earlierInstanceHours: number,
): number {
  const isCounted = cluster.state.startsWith('TERMINAT') && earlierInstanceHours > 0;
  return isCounted ? 0 : instanceHours(cluster, nowMs);
}
