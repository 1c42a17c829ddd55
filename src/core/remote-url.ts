/** What git makes of a remote's URL: a path, an ssh server, or something else (git-fetch(1), GIT URLS). */

export interface SshUrl {
  kind: 'ssh';
  user: string | undefined;
  host: string;
  port: number | undefined;
  /** As git hands it to the server: absolute, `~/...`, `~user/...`, or relative to the home directory there. */
  path: string;
}

export type RemoteUrl = { kind: 'path'; path: string } | SshUrl | { kind: 'other'; scheme: string };

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A host or user that begins with a hyphen would be taken for an option of ssh; git refuses it as well. */
function sshUrl(user: string | undefined, host: string, port: string | undefined, path: string): RemoteUrl {
  const portNumber = port === undefined || port === '' ? undefined : Number(port);
  if (host === '' || host.startsWith('-') || user?.startsWith('-') || path === '' || (portNumber !== undefined && !(portNumber > 0 && portNumber < 65_536))) {
    return { kind: 'other', scheme: 'ssh' };
  }
  return { kind: 'ssh', user, host, port: portNumber, path };
}

function parseSchemed(scheme: string, rest: string): RemoteUrl {
  if (scheme === 'file') return { kind: 'path', path: decode(rest.replace(/^localhost\//, '/')) };
  if (!/^(git\+)?ssh(\+git)?$/.test(scheme)) return { kind: 'other', scheme };
  const [, user, bracketed, plain, port, path] = /^(?:([^@/]*)@)?(?:\[([^\]]*)\]|([^:/]*))(?::(\d*))?(\/.*)?$/s.exec(rest) ?? [];
  const decodedPath = decode(path ?? '');
  // ssh://host/~user/repo is below that user's home.
  return sshUrl(user === undefined ? undefined : decode(user), bracketed ?? plain ?? '', port, decodedPath.startsWith('/~') ? decodedPath.slice(1) : decodedPath);
}

/** Parses a URL as it stands in a remote's configuration. */
export function parseRemoteUrl(url: string): RemoteUrl {
  const schemed = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url);
  if (schemed !== null) return parseSchemed((schemed[1] as string).toLowerCase(), schemed[2] as string);
  const helper = /^([a-z0-9][a-z0-9+.-]*)::/i.exec(url);
  if (helper !== null) return { kind: 'other', scheme: (helper[1] as string).toLowerCase() };
  // [user@]host:path, [user@][::1]:path or [user@host:port]:path; a slash before the first colon makes it a path.
  const withPort = /^\[(?:([^@\]]*)@)?([^:\]]+):(\d+)\]:(.*)$/s.exec(url);
  if (withPort !== null) return sshUrl(withPort[1], withPort[2] as string, withPort[3], withPort[4] as string);
  const scp = /^(?:([^@/:]*)@)?(?:\[([^\]/]*)\]|([^:/]*)):(.*)$/s.exec(url);
  if (scp !== null) return sshUrl(scp[1], scp[2] ?? scp[3] ?? '', undefined, scp[4] as string);
  return { kind: 'path', path: url };
}

/** The words after `ssh` that reach a server: `-p 2222 git@host`. */
export function sshWords({ user, host, port }: SshUrl): string[] {
  return [...(port === undefined ? [] : ['-p', String(port)]), user === undefined ? host : `${user}@${host}`];
}
