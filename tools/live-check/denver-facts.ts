/** Facts about a source from public reports of 2026. The city itself was not asked for this project. */
export interface Fact {
  reads: 'file' | 'pages';
  /** Publisher's column → type of ArcGIS. A file's columns have no types, so theirs is `text`. */
  columns?: Readonly<Record<string, string>>;
  /** Approximate number of records. */
  records?: number;
}

const CRIME = fields(`
  OID: OBJECTID
  String: INCIDENT_ID OFFENSE_ID OFFENSE_CODE
  SmallInteger: OFFENSE_CODE_EXTENSION
  String: OFFENSE_TYPE_ID OFFENSE_CATEGORY_ID
  Date: FIRST_OCCURRENCE_DATE LAST_OCCURRENCE_DATE REPORTED_DATE
  String: INCIDENT_ADDRESS
  Integer: GEO_X GEO_Y
  Double: GEO_LON GEO_LAT
  String: DISTRICT_ID PRECINCT_ID NEIGHBORHOOD_ID
  SmallInteger: IS_CRIME IS_TRAFFIC
  Double: VICTIM_COUNT
`);

const ACCIDENTS = fields(`
  OID: object_id
  String: incident_id offense_id offense_code offense_code_extension top_traffic_accident_offense
  Date: first_occurrence_date last_occurrence_date reported_date
  String: incident_address
  Integer: geo_x geo_y
  Double: geo_lon geo_lat
  String: district_id precinct_id neighborhood_id
  Integer: bicycle_ind pedestrian_ind
  String: HARMFUL_EVENT_SEQ_1 HARMFUL_EVENT_SEQ_2 HARMFUL_EVENT_SEQ_3 road_location ROAD_DESCRIPTION
  String: ROAD_CONTOUR ROAD_CONDITION LIGHT_CONDITION
  String: TU1_VEHICLE_TYPE TU1_TRAVEL_DIRECTION TU1_VEHICLE_MOVEMENT TU1_DRIVER_ACTION
  String: TU1_DRIVER_HUMANCONTRIBFACTOR TU1_PEDESTRIAN_ACTION
  String: TU2_VEHICLE_TYPE TU2_TRAVEL_DIRECTION TU2_VEHICLE_MOVEMENT TU2_DRIVER_ACTION
  String: TU2_DRIVER_HUMANCONTRIBFACTOR TU2_PEDESTRIAN_ACTION
  Integer: SERIOUSLY_INJURED FATALITIES
  String: FATALITY_MODE_1 FATALITY_MODE_2 SERIOUSLY_INJURED_MODE_1 SERIOUSLY_INJURED_MODE_2
  Double: POINT_X POINT_Y
`);

const REQUESTS_BEHIND_DATES = `
  String: First_Call_Resolution Customer_Zip_Code Incident_Address_1 Incident_Address_2
  String: Incident_Intersection_1 Incident_Intersection_2 Incident_Zip_Code
  Double: Longitude Latitude
  String: Agency Division Major_Area Type Topic
  Integer: Council_District Police_District
  String: Neighborhood
`;

const RECENT_REQUESTS = fields(`
  OID: OBJECTID
  String: Case_Summary Case_Status Case_Source
  Date: Case_Created_Date
  String: Case_Created_dttm
  Date: Case_Closed_Date
  String: Case_Closed_dttm
  ${REQUESTS_BEHIND_DATES}
`);

/** The same names with other types, and with the object id last. */
const REQUESTS_OF_2023 = fields(`
  String: Case_Summary Case_Status Case_Source
  Date: Case_Created_Date Case_Created_dttm
  String: Case_Closed_Date Case_Closed_dttm
  ${REQUESTS_BEHIND_DATES}
  OID: ObjectId
`);

/** Columns of the yearly files. Their names have blanks. */
const REQUESTS_FILE = Object.fromEntries(
  Object.keys(REQUESTS_OF_2023)
    .filter((name) => name !== 'ObjectId')
    .map((name) => [name.replaceAll('_', ' '), 'text']),
);

/** Facts by dataset and source of datasets.yaml. */
export const DENVER_FACTS: Readonly<Record<string, Fact>> = {
  'denver-311/2015': { reads: 'file', columns: REQUESTS_FILE },
  'denver-311/2019': { reads: 'pages', records: 432_470 },
  'denver-311/2020': { reads: 'pages', records: 424_371 },
  'denver-311/2021': { reads: 'pages', records: 352_644 },
  'denver-311/2022': { reads: 'pages', records: 421_008 },
  'denver-311/2023': { reads: 'pages', records: 474_695, columns: REQUESTS_OF_2023 },
  'denver-311/2024': { reads: 'file', columns: REQUESTS_FILE },
  'denver-311/2025': { reads: 'file', columns: REQUESTS_FILE },
  'denver-311-recent/all': { reads: 'pages', records: 395_257, columns: RECENT_REQUESTS },
  'denver-traffic-accidents/all': { reads: 'pages', records: 289_260, columns: ACCIDENTS },
  'denver-crime/all': { reads: 'pages', records: 382_746, columns: CRIME },
};

/** Each line has a type and the names of its columns, in the layer's order. */
function fields(text: string): Record<string, string> {
  const pairs = text
    .split('\n')
    .map((line) => line.trim().split(/:? +/))
    .flatMap(([type = '', ...names]) => names.map((name) => [name, `esriFieldType${type}`]));
  return Object.fromEntries(pairs) as Record<string, string>;
}
