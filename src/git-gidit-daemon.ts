/** git-gidit-daemon: arguments to exit code. */
import './gidit/quiet-warnings.ts';
import './gidit/small-heap.ts';
import { runGiditDaemon } from './gidit/daemon-program.ts';
import { endWith } from './program-end.ts';

endWith(runGiditDaemon(process.argv.slice(2)));
