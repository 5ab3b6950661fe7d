/** The part of parquetjs-lite that this program uses. The package has no types. */
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
    /** The fields by which the writer shreds rows. */
    fields: Record<string, Field>;
    /** The fields that the writer puts into a file's footer. */
    fieldList: Field[];
  }

  export class ParquetWriter {
    static openFile(
      schema: ParquetSchema,
      path: string,
      options: { rowGroupSize: number; pageSize: number; useDataPageV2: boolean },
    ): Promise<ParquetWriter>;
    static openStream(
      schema: ParquetSchema,
      stream: NodeJS.WritableStream,
      options: { rowGroupSize: number; pageSize: number; useDataPageV2: boolean },
    ): Promise<ParquetWriter>;
    appendRow(row: Record<string, string | number | null>): Promise<void>;
    setRowGroupSize(rows: number): void;
    close(): Promise<void>;
  }

  const parquet: {
    ParquetSchema: typeof ParquetSchema;
    ParquetWriter: typeof ParquetWriter;
  };
  export default parquet;
}

/** Parquet's format as JavaScript that the Thrift compiler made. */
declare module 'parquetjs-lite/gen-nodejs/parquet_types.js' {
  /** A column in the footer. */
  interface SchemaElement {
    converted_type: number | null;
    logicalType: object | null;
    write: (this: SchemaElement, output: object) => void;
  }
  const thrift: {
    ConvertedType: { TIMESTAMP_MICROS: number };
    SchemaElement: { prototype: SchemaElement };
    LogicalType: new (fields: { TIMESTAMP: object }) => object;
    TimestampType: new (fields: { isAdjustedToUTC: boolean; unit: object }) => object;
    TimeUnit: new (fields: { MICROS: object }) => object;
    MicroSeconds: new () => object;
  };
  export default thrift;
}
