// A histogram's bins as requests write them.

import { z } from 'zod';
import { binsFault } from './bins.js';

export const bins = z
  .union([z.number(), z.array(z.number())], 'must be how many bins, or a list of their edges')
  .superRefine((given, context) => {
    const message = binsFault(given);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
