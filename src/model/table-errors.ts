/** What can go wrong with Iceberg tables and their entries in AWS Glue: part of the catalogue. */
export const TABLE_ERRORS = {
  TABLE_UNREADABLE: {
    class: 'storage',
    happened: 'A file of the Iceberg table is damaged or gone. The published days are not touched.',
    next: '`longhaul table rebuild <dataset>` makes the table anew from the manifests.',
  },
  TABLE_FOREIGN_COMMIT: {
    class: 'storage',
    happened:
      'Another program than Longhaul has written to the Iceberg table, which Longhaul does not overwrite. The published days are not touched.',
    next: 'Keep what that program wrote elsewhere; then `longhaul table rebuild <dataset>` makes the table anew from the manifests.',
  },
  GLUE_TABLE_FOREIGN: {
    class: 'storage',
    happened:
      'AWS Glue has a table of that name which is not the one of this lake. It is left as it is.',
    next: 'Drop or rename that table, or set another GLUE_DATABASE: two lakes need two. The Iceberg table itself is up to date.',
  },
  GLUE_REFUSED: {
    class: 'storage',
    happened:
      'AWS Glue refused a request: no such database, a missing permission, or no credentials.',
    next: 'Make the database of GLUE_DATABASE, or grant what docs/aws.md lists. The Iceberg table itself is up to date; the next run enters it.',
  },
  GLUE_UNAVAILABLE: {
    class: 'storage-unavailable',
    happened: 'AWS Glue did not answer, or answered with a 5xx or that it was asked too often.',
    next: 'A run tries again. The Iceberg table itself is up to date; the next run enters it.',
  },
} as const;
