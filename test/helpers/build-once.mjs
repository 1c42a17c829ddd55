// Integration tests run the built program, so build it before them.
import { execFileSync } from 'node:child_process';

export default function buildOnce() {
  if (process.env.GITSYNC_SKIP_BUILD === '1') return;
  execFileSync(process.execPath, [new URL('../../scripts/build.mjs', import.meta.url).pathname], { stdio: 'inherit' });
}
