// Writes openapi.yaml from the compiled routes: `npm run openapi`, after a build.

import { writeFileSync } from 'node:fs';
import { describeRoutes } from '../dist/src/openapi.js';

writeFileSync(new URL('../openapi.yaml', import.meta.url), await describeRoutes());
