/** git-remote-gidit: git's remote helper for `gidit::` URLs. */
import './gidit/quiet-warnings.ts';
import { runRemoteHelper } from './gidit/remote-helper.ts';
import { endWith } from './program-end.ts';

endWith(runRemoteHelper(process.argv.slice(2)));
