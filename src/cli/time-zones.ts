import type { DatasetSpec } from '../model/dataset.ts';

/** The time zone in which the times of a run are shown: its dataset's, where the workflow id tells one, else this machine's. */
export type ZoneOf = (workflowId: string) => string;

export function zonesOf(datasets: readonly DatasetSpec[]): ZoneOf {
  const zones = new Map(datasets.map(({ name, timeZone }) => [name, timeZone]));
  return (workflowId) => {
    // `ingest/<dataset>/<date>`, `scheduled/<dataset>-<time>`.
    const name = /^(?:ingest|scheduled)\/([a-z0-9-]+)/.exec(workflowId)?.[1] ?? '';
    for (let known = name; known !== ''; known = known.replace(/-?[^-]*$/, '')) {
      const zone = zones.get(known);
      if (zone !== undefined) return zone;
    }
    return localZone();
  };
}

/** Of this machine: the zone of a dataset that is named by a URL or a path alone, too. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
