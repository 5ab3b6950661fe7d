import type { IngestResult } from './run.ts';
import type { ColumnType } from './schema.ts';

/** Of a column of a dataset's table, from one day to the next. */
export interface SchemaChange {
  column: string;
  change: 'added' | 'dropped' | 'type';
  from?: ColumnType;
  to?: ColumnType;
}

/** A dataset's Iceberg table after a publication. */
export interface PublishedTable {
  /** The folder, as readers open it. */
  location: string;
  /** The newest version of its metadata. */
  metadataFile: string;
  /** Of the run's day. */
  tag: string;
  /** What this publication changed in the columns of the newest day. */
  schemaChanges: SchemaChange[];
}

export const TABLE_BEHIND =
  'The Iceberg table is behind what is published; the next run makes up for it';

const GLUE_BEHIND =
  'The Iceberg table is as published, and its entry in AWS Glue is not; the next run makes up for it';

/** Why readers of a dataset's table do not have what is published. */
export function behindText({ code, message }: { code: string; message: string }): string {
  return `${code.startsWith('GLUE_') ? GLUE_BEHIND : TABLE_BEHIND}: ${code}: ${message}`;
}

/** For people, a line each; the columns' names are the publisher's, made into plain identifiers. */
export function tableLines(table: IngestResult['table']): string[] {
  if (!table) return [];
  if ('error' in table) return [behindText(table.error)];
  const changes = table.schemaChanges.map(changeText);
  return [
    `Iceberg table: ${table.location} (tag ${table.tag})`,
    ...(changes.length > 0 ? [`Columns changed: ${changes.join(', ')}`] : []),
  ];
}

export function changeText({ column, change, from, to }: SchemaChange): string {
  return change === 'type' ? `${column} ${from} → ${to}` : `${column} ${change}`;
}
