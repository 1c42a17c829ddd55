/** Remotes over ssh: one long connection that waits for the branch to move. */
import { backoffMs } from '../core/backoff.ts';
import { sshWords, type SshUrl } from '../core/remote-url.ts';
import type { ErrorKind } from '../errors.ts';
import { classifyGitFailure, essenceOf } from '../git/git-errors.ts';
import type { Repo } from '../git/git.ts';
import { sshCommandOf } from '../git/ssh-command.ts';
import type { Log } from '../log.ts';
import { gitEnvironment } from '../process/env.ts';
import { startProcess, type StartedProcess } from '../process/long-lived.ts';
import type { Notifier, NotifierEvents } from './notifier.ts';
import { watchCommand, watchScript, watchWord } from './watch-script.ts';

export interface SshTiming {
  /** How long the first word may take. */
  helloMs: number;
  /** How long the server may be silent; it says something every 15 s. */
  silenceMs: number;
  /** Until an account that gave no shell is tried again. */
  shelllessMs: number;
  /** A connection that lasted this long was a good one: the back-off begins anew. */
  steadyMs: number;
}

const defaultTiming: SshTiming = { helloMs: 30_000, silenceMs: 45_000, shelllessMs: 3_600_000, steadyMs: 60_000 };

/** Servers that are known to give git and nothing else. */
const forges = new Set([
  'github.com', 'ssh.github.com', 'gitlab.com', 'altssh.gitlab.com', 'bitbucket.org', 'altssh.bitbucket.org', 'codeberg.org', 'git.sr.ht',
  'ssh.dev.azure.com', 'vs-ssh.visualstudio.com', 'gitea.com', 'git.savannah.gnu.org', 'git.code.sf.net', 'hf.co', 'huggingface.co',
]);

/** Whether trying to get a shell there would be in vain. */
export function isForge(host: string): boolean {
  return forges.has(host.toLowerCase()) || /^git-codecommit\..*\.amazonaws\.com$/i.test(host);
}

/** Options for a connection that only waits: nothing forwarded, no other command, no shared connection that others depend on. */
const quietOptions = ['-T', '-a', '-x', ...['ClearAllForwardings=yes', 'PermitLocalCommand=no', 'RemoteCommand=none', 'ControlMaster=no', 'LogLevel=ERROR'].flatMap((option) => ['-o', option])];

/** Failures that a person has to mend: tried again as rarely as anything. */
const lastingKinds: readonly ErrorKind[] = ['auth', 'host-unknown', 'host-key-changed', 'config'];

/** Accounts that gave no shell, until when: the repositories of one server need not all ask. */
const shellless = new Map<string, number>();

const oidPattern = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

/** Watches a branch over ssh, where the account gives a shell. */
export function startSshNotifier(repo: Repo, url: SshUrl, branch: string, events: NotifierEvents, log: Log, timing: Partial<SshTiming> = {}): Notifier {
  const times = { ...defaultTiming, ...timing };
  const account = sshWords(url).join(' ');
  let live = false;
  let isClosed = false;
  let failures = 0;
  let current: StartedProcess | undefined;
  let waiting: NodeJS.Timeout | undefined;

  const goOffline = (why: string): void => {
    live = false;
    log.debug('Not notified by the remote', { account, why });
    events.onState(false, why);
  };
  const wait = (ms: number): void => {
    waiting = isClosed ? undefined : setTimeout(connect, ms).unref();
  };
  const attempt = async (): Promise<void> => {
    waiting = undefined;
    const shelllessForMs = (shellless.get(account) ?? 0) - performance.now();
    if (shelllessForMs > 0) {
      goOffline('the account gives no shell');
      return wait(shelllessForMs);
    }
    const command = await sshCommandOf(repo);
    if (isClosed) return;
    if (command === undefined) return goOffline('the ssh program is not OpenSSH');
    const session = startSession(command, url, branch, times, (value, isFirst) => {
      if (isFirst) {
        live = true;
        events.onState(true);
      } else if (!isClosed) {
        events.onMoved(oidPattern.test(value) ? value : undefined);
      }
    });
    current = session.process;
    const end = await session.end;
    current = undefined;
    if (!isClosed) onEnd(end);
  };
  const onEnd = ({ kind, why, lastedMs }: SessionEnd): void => {
    failures = lastedMs > times.steadyMs ? 1 : failures + 1;
    if (kind === 'no-shell') shellless.set(account, performance.now() + times.shelllessMs);
    goOffline(why);
    if (kind === 'broken') wait(backoffMs(failures, Math.random()));
    else wait(kind === 'not-let-in' ? backoffMs(Infinity, Math.random()) : times.shelllessMs);
  };
  const connect = (): void => {
    attempt().catch((error: unknown) => onEnd({ kind: 'broken', why: String(error), lastedMs: 0 }));
  };
  connect();
  return {
    kind: 'ssh',
    get live() {
      return live;
    },
    wake() {
      if (waiting === undefined) return;
      clearTimeout(waiting);
      connect();
    },
    async close() {
      isClosed = true;
      clearTimeout(waiting);
      await current?.close();
    },
  };
}

interface SessionEnd {
  kind: 'no-shell' | 'no-repository' | 'not-let-in' | 'broken';
  why: string;
  lastedMs: number;
}

/** One connection, from its start to its end. `onValue` gets the first value and each that differs from the one before. */
function startSession(command: string, url: SshUrl, branch: string, times: SshTiming, onValue: (value: string, isFirst: boolean) => void): { process: StartedProcess; end: Promise<SessionEnd> } {
  const startedAt = performance.now();
  let last: string | undefined;
  let isSilent = false;
  const onLine = (line: string): void => {
    const value = line.startsWith(`${watchWord} `) ? line.slice(watchWord.length + 1) : undefined;
    if (value === undefined) return; // a login script's greeting
    clearTimeout(deadline);
    deadline = setTimeout(onSilence, times.silenceMs).unref();
    if (value === last) return;
    const isFirst = last === undefined;
    last = value;
    if (value !== 'none') onValue(value, isFirst);
  };
  const started = startProcess('sh', connectWords(command, url, watchCommand), { env: gitEnvironment(), input: watchScript(url.path, branch), onLine });
  const onSilence = (): void => {
    isSilent = true;
    void started.close();
  };
  let deadline = setTimeout(onSilence, times.helloMs).unref();
  const end = started.ended.then(({ exitCode, stderr }): SessionEnd => {
    clearTimeout(deadline);
    const lastedMs = last === undefined ? 0 : performance.now() - startedAt;
    if (last === 'none') return { kind: 'no-repository', why: 'the repository is not visible from the shell there', lastedMs };
    if (isSilent) return { kind: 'broken', why: 'the server is silent', lastedMs };
    // 255 is ssh's own failure, anything else the remote command's (ssh(1), EXIT STATUS).
    if (last === undefined && exitCode !== undefined && exitCode !== 255) return { kind: 'no-shell', why: 'the account gives no shell', lastedMs };
    const { kind } = classifyGitFailure('connect', exitCode ?? -1, stderr);
    return { kind: lastingKinds.includes(kind) ? 'not-let-in' : 'broken', why: essenceOf(stderr) || 'the connection ended', lastedMs };
  });
  return { process: started, end };
}

/** The words after `sh` that run a command on the server. As git does: the person's own command is words for a shell, ours are arguments. */
export function connectWords(command: string, url: SshUrl, remoteCommand: string): string[] {
  const words = sshWords(url);
  // `--` ends ssh's options, though no host begins with a hyphen here.
  return ['-c', `${command} "$@"`, 'ssh', ...quietOptions, ...words.slice(0, -1), '--', words.at(-1) as string, remoteCommand];
}
