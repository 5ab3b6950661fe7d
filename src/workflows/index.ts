/** Exports only what may be started: Temporal makes every exported function startable by its name. */
export { convertOnEmr } from './convert-on-emr.ts';
export { holdNamespace } from './hold-namespace.ts';
export { ingestDataset } from './ingest-dataset.ts';
export { ingestOnSchedule } from './ingest-on-schedule.ts';
export { sweepLake } from './sweep-lake.ts';
