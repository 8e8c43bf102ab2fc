/** `npm run docs:events`: writes EVENTS.md. */
import { writeFileSync } from 'node:fs';
import { EVENTS_PAGE, eventsPage } from './events-page.js';

writeFileSync(EVENTS_PAGE, eventsPage());
