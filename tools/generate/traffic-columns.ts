import { columns } from './shape.ts';

export interface AccidentColumns {
  names: string[];
  count: 17 | 19 | 45 | 48 | 47;
}

const UNTIL_2015 = columns(`
  INCIDENT_ID, OFFENSE_ID, OFFENSE_CODE, OFFENSE_CODE_EXTENSION, OFFENSE_TYPE_ID,
  OFFENSE_CATEGORY_ID, FIRST_OCCURRENCE_DATE, LAST_OCCURRENCE_DATE, REPORTED_DATE,
  INCIDENT_ADDRESS, GEO_X, GEO_Y, longitude, latitude, DISTRICT_ID, PRECINCT_ID, NEIGHBORHOOD_ID
`);

const UNTIL_2018 = [
  ...UNTIL_2015.map((name) => ({ longitude: 'GEO_LON', latitude: 'GEO_LAT' })[name] ?? name),
  ...columns('BICYCLE_IND, PEDESTRIAN_IND'),
];

const VEHICLES = columns(`
  TU1_VEHICLE_TYPE, TU1_TRAVEL_DIRECTION, TU1_VEHICLE_MOVEMENT, TU1_DRIVER_ACTION,
  TU1_DRIVER_HUMANCONTRIBFACTOR, TU1_PEDESTRIAN_ACTION, TU2_VEHICLE_TYPE, TU2_TRAVEL_DIRECTION,
  TU2_VEHICLE_MOVEMENT, TU2_DRIVER_ACTION, TU2_DRIVER_HUMANCONTRIBFACTOR, TU2_PEDESTRIAN_ACTION,
  SERIOUSLY_INJURED, FATALITIES, FATALITY_MODE_1, FATALITY_MODE_2, SERIOUSLY_INJURED_MODE_1,
  SERIOUSLY_INJURED_MODE_2
`);

const UNTIL_2022 = [
  ...columns(`
    OBJECTID_1, INCIDENT_ID, OFFENSE_ID, OFFENSE_CODE, OFFENSE_CODE_EXTENSION,
    TOP_TRAFFIC_ACCIDENT_OFFENSE, FIRST_OCCURRENCE_DATE, LAST_OCCURRENCE_DATE, REPORTED_DATE,
    INCIDENT_ADDRESS, GEO_X, GEO_Y, GEO_LON, GEO_LAT, DISTRICT_ID, PRECINCT_ID, NEIGHBORHOOD_ID,
    BICYCLE_IND, PEDESTRIAN_IND, HARMFUL_EVENT_SEQ_1, HARMFUL_EVENT_SEQ_2, HARMFUL_EVENT_SEQ_3,
    ROAD_LOCATION, ROAD_DESCRIPTION, ROAD_CONTOUR, ROAD_CONDITION, LIGHT_CONDITION
  `),
  ...VEHICLES,
];

const SINCE_2023 = [
  ...columns(`
    shape, object_id, incident_id, offense_id, offense_code, offense_code_extension,
    top_traffic_accident_offense, first_occurrence_date, last_occurrence_date, reported_date,
    incident_address, geo_x, geo_y, geo_lon, geo_lat, district_id, precinct_id, neighborhood_id,
    bicycle_ind, pedestrian_ind, HARMFUL_EVENT_SEQ_1, HARMFUL_EVENT_SEQ_2, HARMFUL_EVENT_SEQ_MOST,
    road_location, ROAD_DESCRIPTION, ROAD_CONTOUR, ROAD_CONDITION, LIGHT_CONDITION
  `),
  ...VEHICLES,
  ...columns('POINT_X, POINT_Y'),
];

const SINCE_2026 = SINCE_2023.filter((name) => name !== 'shape').map((name) =>
  name === 'HARMFUL_EVENT_SEQ_MOST' ? 'HARMFUL_EVENT_SEQ_3' : name,
);

/** The columns that the publisher's file of a year has. */
export function accidentColumns(year: number): AccidentColumns {
  if (year <= 2015) return { names: UNTIL_2015, count: 17 };
  if (year <= 2018) return { names: UNTIL_2018, count: 19 };
  if (year <= 2022) return { names: UNTIL_2022, count: 45 };
  if (year <= 2025) return { names: SINCE_2023, count: 48 };
  return { names: SINCE_2026, count: 47 };
}
