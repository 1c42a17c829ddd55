/** Where this machine gets its Debian packages from: read from apt, never written here. */
import { run } from '../process/run.ts';

export interface Mirror {
  /** Lines for sources.list. */
  lines: string[];
  /** `Acquire::http::Proxy "..."`, where apt goes through a proxy. */
  options: string[];
}

const fallback = 'http://deb.debian.org/debian';

async function output(file: string, args: readonly string[]): Promise<string> {
  const result = await run(file, args, { idleTimeoutMs: 30_000 }).catch(() => undefined);
  return result?.exitCode === 0 ? result.stdout.toString('utf8') : '';
}

/** The sources of one Debian release as this machine's apt has them; Debian's own mirror where it has none. */
export async function findMirror(release: string): Promise<Mirror> {
  const targets = await output('apt-get', ['indextargets', '--format', '$(ORIGIN) $(REPO_URI) $(SUITE) $(CODENAME) $(COMPONENT)', 'Created-By: Packages']);
  const lines = new Set<string>();
  for (const line of targets.split('\n')) {
    const [origin, uri = '', , codename = '', component] = line.split(' ');
    if (origin !== 'Debian' || component !== 'main' || !/^https?:/.test(uri)) continue;
    if (codename === release || codename === `${release}-updates` || codename === `${release}-security`) lines.add(`deb ${uri.replace(/\/$/, '')} ${codename} main`);
  }
  const options = (await output('apt-config', ['dump', '--format', '%f "%v"%n', 'Acquire::http::Proxy', 'Acquire::https::Proxy'])).split('\n').filter((line) => /^Acquire::https?::Proxy "./.test(line));
  return { lines: lines.size === 0 ? [`deb ${fallback} ${release} main`] : [...lines].sort((a, b) => a.length - b.length), options };
}
