/** git-gidit: arguments to exit code. */
import './gidit/quiet-warnings.ts';
import { runGitGidit } from './gidit/git-gidit.ts';
import { endWith } from './program-end.ts';

endWith(runGitGidit(process.argv.slice(2)));
