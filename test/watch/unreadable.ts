/** Plays the story of unreadable.test.ts as whoever runs it: unreadable.ts ROOT */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { converge } from '../helpers/converge.ts';
import { put, untilEditsAreNamed, watching } from './watching.ts';

const [root = ''] = process.argv.slice(2);
const watched = await watching(root);
const watchedAtFirst = watched.watcher.watchCount;
await untilEditsAreNamed(watched, 'open/file.txt');
// Looking at it again says nothing new.
put(root, '.gitignore', '');
await converge('everything reported', () => watched.reported.has('all'));
chmodSync(join(root, 'closed'), 0o755);
await untilEditsAreNamed(watched, 'closed/inner/file.txt');
console.log(JSON.stringify({ uid: process.getuid?.(), problems: watched.problems, watchedAtFirst, watchedAtLast: watched.watcher.watchCount }));
await watched.watcher.close();
