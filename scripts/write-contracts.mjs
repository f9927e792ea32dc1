// Writes openapi.yaml and docs/asyncapi.yaml from the compiled routes and messages: `npm run openapi`, after a build.

import { writeFileSync } from 'node:fs';
import { describeContracts } from '../dist/src/contracts.js';

const { openapi, asyncapi } = await describeContracts();
writeFileSync(new URL('../openapi.yaml', import.meta.url), openapi);
writeFileSync(new URL('../docs/asyncapi.yaml', import.meta.url), asyncapi);
