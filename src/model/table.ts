import type { IngestResult } from './run.ts';
import type { ColumnType } from './schema.ts';

/** A change of a column of a dataset's table from one day to the next. */
export interface SchemaChange {
  column: string;
  change: 'added' | 'dropped' | 'type';
  from?: ColumnType;
  to?: ColumnType;
}

/** A dataset's Iceberg table after a publication. */
export interface PublishedTable {
  /** Address of the table's folder, in the form that readers open. */
  location: string;
  /** Address of the newest metadata file. */
  metadataFile: string;
  /** Tag of the run's day. */
  tag: string;
  /** The changes of this publication to the columns of the newest day. */
  schemaChanges: SchemaChange[];
}

export const TABLE_BEHIND =
  'The Iceberg table is behind what is published; the next run makes up for it';

const GLUE_BEHIND =
  'The Iceberg table is as published, and its entry in AWS Glue is not; the next run makes up for it';

/** Says why readers of a dataset's table do not see what is published. */
export function behindText({ code, message }: { code: string; message: string }): string {
  return `${code.startsWith('GLUE_') ? GLUE_BEHIND : TABLE_BEHIND}: ${code}: ${message}`;
}

/** Lines of text for the user. The columns have their normalised names. */
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
