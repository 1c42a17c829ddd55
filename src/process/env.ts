/** The environment that programs of ours run in. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { findRuntimeDirectory } from './runtime-dir.ts';

/** What `git rev-parse --local-env-vars` lists: inherited from a hook or helper, these point git at the wrong repository. */
const gitLocalVariables = [
  'GIT_ALTERNATE_OBJECT_DIRECTORIES', 'GIT_CONFIG', 'GIT_CONFIG_PARAMETERS', 'GIT_CONFIG_COUNT', 'GIT_OBJECT_DIRECTORY',
  'GIT_DIR', 'GIT_WORK_TREE', 'GIT_IMPLICIT_WORK_TREE', 'GIT_GRAFT_FILE', 'GIT_INDEX_FILE', 'GIT_NO_REPLACE_OBJECTS',
  'GIT_REPLACE_REF_BASE', 'GIT_PREFIX', 'GIT_SHALLOW_FILE', 'GIT_COMMON_DIR', 'GIT_NAMESPACE', 'GIT_LITERAL_PATHSPECS',
  'GIT_GLOB_PATHSPECS', 'GIT_NOGLOB_PATHSPECS', 'GIT_ICASE_PATHSPECS', 'GIT_EXTERNAL_DIFF', 'GIT_PAGER', 'GIT_EDITOR',
  'GIT_ASKPASS', 'SSH_ASKPASS', 'GIT_QUARANTINE_PATH', 'GIT_TRACE', 'GIT_AUTHOR_DATE', 'GIT_COMMITTER_DATE',
];

/** ssh options that make it fail instead of asking or hanging; every user setting beside them stays. */
export const sshOptions = [
  '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=15', '-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=2',
];

/**
 * A live ssh agent's socket: the environment's own, else the ones that desktops
 * and systemd put into the runtime directory. Looked up at every attempt, since
 * a daemon outlives the session that it was started from.
 */
export function findSshAgent(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const isSocket = (path: string): boolean => {
    try {
      return statSync(path).isSocket();
    } catch {
      return false;
    }
  };
  const own = env['SSH_AUTH_SOCK'];
  if (own !== undefined && isSocket(own)) return own;
  const runtime = findRuntimeDirectory(env);
  if (runtime === undefined || !existsSync(runtime)) return own;
  const known = ['ssh-agent.socket', 'openssh_agent', 'keyring/ssh', 'gcr/ssh', 'gnupg/S.gpg-agent.ssh'].map((name) => `${runtime}/${name}`);
  try {
    for (const name of readdirSync(runtime)) if (name.startsWith('ssh-')) known.push(`${runtime}/${name}/agent`);
  } catch {
    // An unreadable runtime directory has nothing for us.
  }
  return known.find(isSocket) ?? own;
}

/** The environment for git: no prompts, no pagers, messages in English (we read them), nothing that points elsewhere. */
export function gitEnvironment(extra: Record<string, string> = {}): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { ...process.env };
  for (const name of gitLocalVariables) delete env[name];
  for (const name of Object.keys(env)) if (/^GIT_(CONFIG_(KEY|VALUE)_\d+|TRACE.*)$/.test(name)) delete env[name];
  const agent = findSshAgent();
  if (agent !== undefined) env['SSH_AUTH_SOCK'] = agent;
  return {
    ...env,
    LC_ALL: 'C.UTF-8',
    LANGUAGE: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GCM_INTERACTIVE: 'never',
    SSH_ASKPASS_REQUIRE: 'never',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_MERGE_AUTOEDIT: 'no',
    ...extra,
  };
}
