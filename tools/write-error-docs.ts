/** `npm run docs:errors`: writes docs/errors.md from the catalogue. */
import { writeFileSync } from 'node:fs';
import { ERROR_DOCS_FILE, errorDocs } from './error-docs.ts';

writeFileSync(ERROR_DOCS_FILE, await errorDocs());
