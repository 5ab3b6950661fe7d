/** The part of parquetjs-lite (which has no types) that this program uses. */
declare module 'parquetjs-lite' {
  export interface FieldDefinition {
    type: 'UTF8' | 'INT64' | 'DOUBLE' | 'DATE' | 'TIMESTAMP_MICROS';
    optional: boolean;
    compression: 'GZIP' | 'SNAPPY' | 'UNCOMPRESSED';
    statistics: boolean;
  }

  export interface Field {
    name: string;
    path: string[];
    originalType?: string | undefined;
    primitiveType: string;
  }

  export class ParquetSchema {
    constructor(fields: Record<string, FieldDefinition>);
    /** What rows are shredded by. */
    fields: Record<string, Field>;
    /** What files are written by. */
    fieldList: Field[];
  }

  export class ParquetWriter {
    static openFile(
      schema: ParquetSchema,
      path: string,
      options: { rowGroupSize: number; pageSize: number; useDataPageV2: boolean },
    ): Promise<ParquetWriter>;
    appendRow(row: Record<string, string | number | null>): Promise<void>;
    setRowGroupSize(rows: number): void;
    close(): Promise<void>;
  }

  /** node-int64: a number by `valueOf`. */
  export interface Int64 {
    valueOf(): number;
  }

  export interface FileMetaData {
    num_rows: Int64 | number;
    row_groups: { num_rows: Int64 | number }[];
  }

  export class ParquetEnvelopeReader {
    constructor(
      read: (offset: number, length: number) => Promise<Buffer>,
      close: () => void,
      fileSize: number,
    );
    readHeader(): Promise<void>;
    readFooter(): Promise<FileMetaData>;
  }

  const parquet: {
    ParquetSchema: typeof ParquetSchema;
    ParquetWriter: typeof ParquetWriter;
    ParquetEnvelopeReader: typeof ParquetEnvelopeReader;
  };
  export default parquet;
}
