// Gives each test file a temporary directory of its own, and afterwards ends what it started and removes it.
// (Inside jest's sandbox, process.on('exit') never fires.)
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestEnvironment } from 'jest-environment-node';

export default class CleanEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    // jest runs the set-up files before setup().
    this.temporary = mkdtempSync(join(tmpdir(), 'gitsync-test-'));
    // Some tests start programs as another user.
    chmodSync(this.temporary, 0o1777);
    this.global.gitsyncTest = { temporary: this.temporary, children: new Set() };
    // Whatever a test starts without an environment of its own inherits that of the process itself, not the sandbox's:
    // stock git must find the identity of hermetic-env.ts there too, never the settings of whoever runs the tests.
    Object.assign(process.env, { GIT_CONFIG_GLOBAL: join(this.temporary, 'home/.gitconfig'), GIT_CONFIG_NOSYSTEM: '1' });
  }

  /** What is still mounted or written to is left behind, and said: it fails no test. */
  removeTemporary() {
    try {
      rmSync(this.temporary, { recursive: true, force: true, maxRetries: 5 });
    } catch (error) {
      console.error(`not removed: ${this.temporary} (${error.message})`);
    }
  }

  async teardown() {
    for (const child of this.global.gitsyncTest.children) child.kill('SIGKILL');
    if (process.env.GITSYNC_KEEP_TMP === '1') console.error(`kept: ${this.temporary}`);
    else this.removeTemporary();
    await super.teardown();
  }
}
