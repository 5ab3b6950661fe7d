import type { Geometry } from '../../../model/dataset.ts';
import { printable } from '../../../model/names.ts';
import { exactText, fieldOf, lineOf, listOf, numberOf, textOf, type ExactJson } from '../json.ts';
import { unusable } from './answers.ts';

/** A layer or table as its metadata describes it, with what a reader needs. */
export interface Layer {
  url: URL;
  title: string | undefined;
  publisher: string | undefined;
  /** The fields in the layer's order, without the geometry. */
  fields: Field[];
  /** The field that identifies a record, and whose values have an order. */
  objectIdField: string;
  geometryType: GeometryType | undefined;
  /** How the geometry becomes columns. */
  geometry: Geometry;
  /** The server never sends more records in one answer. */
  maxRecordCount: number;
  /** Whether the server can send sorted pages of a requested size. */
  hasPages: boolean;
  /** The time of the last change of a record, in ms since 1970. */
  editedAtMs: number | undefined;
  /** All times of change that the layer gives. Undefined if it gives none. */
  edits: string | undefined;
  dateZone: string | undefined;
}

export interface Field {
  name: string;
  type: string;
  title: string | undefined;
  /** The names by their codes. */
  domain: Record<string, string> | undefined;
}

const GEOMETRY_TYPES = ['Point', 'Multipoint', 'Polyline', 'Polygon'] as const;
export type GeometryType = (typeof GEOMETRY_TYPES)[number];

const FIELD_TYPES = new Set(
  [
    ...['OID', 'GlobalID', 'GUID', 'String', 'XML'],
    ...['SmallInteger', 'Integer', 'BigInteger', 'Single', 'Double'],
    ...['Date', 'DateOnly', 'TimeOnly', 'TimestampOffset'],
  ].map((name) => `esriFieldType${name}`),
);
const OBJECT_ID = 'esriFieldTypeOID';
const GEOMETRY = 'esriFieldTypeGeometry';

/** Servers before 10.1 send this many records in one answer. Their metadata does not say so. */
const DEFAULT_RECORD_COUNT = 1000;

/** @throws LonghaulError PORTAL_UNUSABLE if the worker cannot read all records exactly. */
export function layerOf(url: URL, metadata: ExactJson, wanted: Geometry | undefined): Layer {
  const fields = fieldsOf(url, metadata);
  const capabilities = textOf(metadata, 'capabilities');
  if (capabilities !== undefined && !/\bQuery\b/i.test(capabilities)) {
    throw unusable(url, 'does not allow queries');
  }
  const esriType = textOf(metadata, 'geometryType');
  const geometryType = GEOMETRY_TYPES.find((type) => esriType === `esriGeometry${type}`);
  const maxRecordCount = numberOf(metadata, 'maxRecordCount') ?? 0;
  const editing = fieldOf(metadata, 'editingInfo');
  const editedAtMs = numberOf(editing, 'dataLastEditDate') ?? numberOf(editing, 'lastEditDate');
  return {
    url,
    title: lineOf(metadata, 'name'),
    publisher: lineOf(metadata, 'copyrightText'),
    fields,
    objectIdField: objectIdFieldOf(url, metadata, fields),
    geometryType,
    geometry: geometryOf(url, geometryType, wanted),
    maxRecordCount: maxRecordCount >= 1 ? Math.floor(maxRecordCount) : DEFAULT_RECORD_COUNT,
    hasPages: supports(metadata, 'supportsPagination') && supports(metadata, 'supportsOrderBy'),
    editedAtMs,
    edits:
      editedAtMs === undefined
        ? undefined
        : JSON.stringify([editedAtMs, numberOf(editing, 'schemaLastEditDate') ?? null]),
    dateZone: dateZoneOf(metadata),
  };
}

function fieldsOf(url: URL, metadata: ExactJson): Field[] {
  const fields = listOf(metadata, 'fields').flatMap((field) => {
    const [name, type] = [textOf(field, 'name'), textOf(field, 'type') ?? ''];
    return name === undefined || type === GEOMETRY
      ? []
      : [{ name, type, title: lineOf(field, 'alias'), domain: domainOf(field) }];
  });
  if (fields.length === 0) {
    const kind = lineOf(metadata, 'type') ?? 'of no known kind';
    throw unusable(url, `is ${kind}, and has no records with fields`);
  }
  const unknown = fields.find(({ type }) => !FIELD_TYPES.has(type));
  if (unknown) {
    const { name, type } = unknown;
    throw unusable(url, printable(`has the field ${name} of the type ${type}, which is not known`));
  }
  return fields;
}

/** Servers before 10.3 do not name the field. It may have any position. */
function objectIdFieldOf(url: URL, metadata: ExactJson, fields: Field[]): string {
  const named = textOf(metadata, 'objectIdField');
  const found =
    fields.find(({ name }) => name === named) ?? fields.find(({ type }) => type === OBJECT_ID);
  if (!found) throw unusable(url, 'has no field of object ids, which tell its records apart');
  return found.name;
}

function domainOf(field: unknown): Record<string, string> | undefined {
  const coded = listOf(fieldOf(field, 'domain'), 'codedValues').flatMap((each) => {
    const code = fieldOf(each, 'code');
    const name = textOf(each, 'name');
    return code === undefined || name === undefined ? [] : [[codeText(code as ExactJson), name]];
  });
  return coded.length === 0 ? undefined : (Object.fromEntries(coded) as Record<string, string>);
}

function codeText(code: ExactJson): string {
  return typeof code === 'string' ? code : exactText(code);
}

/** The default is the one of ArcGIS's own CSV files: two columns for points, none for lines and polygons. */
function geometryOf(
  url: URL,
  type: GeometryType | undefined,
  wanted: Geometry | undefined,
): Geometry {
  if (wanted === undefined) return type === 'Point' ? 'xy' : 'none';
  if (wanted === 'xy' && type !== 'Point') {
    throw unusable(url, 'has no points, so that `geometry: xy` does not fit');
  }
  if (wanted === 'wkt' && type === undefined) {
    throw unusable(url, 'has no geometry, so that `geometry: wkt` does not fit');
  }
  return wanted;
}

/** The property is either in the layer's metadata or in its advanced query capabilities. */
function supports(metadata: ExactJson, name: string): boolean {
  const advanced = fieldOf(metadata, 'advancedQueryCapabilities');
  return fieldOf(metadata, name) === true || fieldOf(advanced, name) === true;
}

function dateZoneOf(metadata: ExactJson): string | undefined {
  if (fieldOf(metadata, 'datesInUnknownTimezone') === true) return 'unknown';
  const reference = fieldOf(metadata, 'dateFieldsTimeReference');
  return lineOf(reference, 'timeZoneIANA') ?? lineOf(reference, 'timeZone');
}
