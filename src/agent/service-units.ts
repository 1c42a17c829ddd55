/** The unit files that `gitsync service install` puts in place. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { GitsyncError } from '../errors.ts';

/** What lies in systemd/, by file name; put in by the build. */
declare const __GITSYNC_UNITS__: Record<string, string> | undefined;

export const agentUnit = 'gitsync.service';
export const onceUnit = 'gitsync-once.service';
export const timerUnit = 'gitsync-once.timer';
/** The node in the peers' cloud, a program of its own. */
export const peersUnit = 'git-gidit-daemon.service';

/** How the running program is started again by a service, which has another environment. */
export interface ProgramPlace {
  node: string;
  script: string;
  /** The config file, where it is not one that is found by itself. */
  configFile: string | undefined;
  /** Directories that must be in PATH beside the usual ones (git may be elsewhere). */
  path: readonly string[];
  /** The agent starts containers, which needs namespaces and set-uid helpers. */
  containers: boolean;
}

const usualPath = ['/usr/local/bin', '/usr/bin', '/bin'];
const packagedPrograms = '/usr/lib/gitsync/';
const packagedUnits = ['/usr/lib/systemd/user', '/lib/systemd/user'];
const dropInName = 'gitsync-install.conf';
const note = '# Written by `gitsync service install`; `gitsync service uninstall` removes it.\n';

/** Where a person's own units are (systemd.unit(5)). */
export function userUnitDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CONFIG_HOME'];
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.config'), 'systemd/user');
}

/** A word in a unit: quoted, with `%` taken as it is (systemd.syntax(7)). */
export function quoteUnitWord(word: string): string {
  return `"${word.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('%', '%%')}"`;
}

/** A command line, in which `$` would name a variable as well (systemd.service(5)). */
export function renderCommand(words: readonly string[]): string {
  return words.map((word) => quoteUnitWord(word).replaceAll('$', '$$$$')).join(' ');
}

/** Whether a package brought both this program and the unit that starts it. */
export function isPackaged({ script }: ProgramPlace, unit: string): boolean {
  return script.startsWith(packagedPrograms) && packagedUnits.some((directory) => existsSync(join(directory, unit)));
}

/** Makes a container's helpers work again: each of the settings would switch privileges off by itself. */
const relaxed = [
  '# A remote is a container: starting one needs namespaces, and set-uid helpers of normal users.',
  'NoNewPrivileges=no', 'LockPersonality=no', 'RestrictRealtime=no', 'RestrictNamespaces=no', 'RestrictAddressFamilies=', 'SystemCallArchitectures=', 'SystemCallFilter=',
];

/** The settings that differ from the unit's, '' where none does. */
export function renderDropIn(unit: string, place: ProgramPlace): string {
  const lines: string[] = [];
  const packaged = isPackaged(place, unit);
  const extra = place.path.filter((directory) => !usualPath.includes(directory));
  if (extra.length > 0) lines.push(`Environment=${quoteUnitWord(`PATH=${[...new Set(extra), ...usualPath].join(':')}`)}`);
  if (unit === peersUnit) {
    if (!packaged) lines.push('ExecStart=', `ExecStart=${renderCommand([place.node, join(dirname(place.script), 'git-gidit-daemon.js')])}`);
    return lines.length === 0 ? '' : `${note}[Service]\n${lines.join('\n')}\n`;
  }
  if (!packaged || place.configFile !== undefined) {
    const command = packaged ? ['/usr/bin/gitsync'] : [place.node, place.script];
    const words = [...command, unit === agentUnit ? '--daemon' : '--once', ...(place.configFile === undefined ? [] : ['--config', place.configFile])];
    lines.push('ExecStart=', `ExecStart=${renderCommand(words)}`);
  }
  if (place.containers) lines.push(...relaxed);
  const conditions = place.configFile === undefined ? '' : '[Unit]\nConditionPathExists=\n\n';
  return lines.length === 0 ? '' : `${note}${conditions}[Service]\n${lines.join('\n')}\n`;
}

const dropInFile = (unit: string): string => join(userUnitDirectory(), `${unit}.d`, dropInName);

/** Writes the units that no package brought, and what this machine needs besides. Returns the files written. */
export function writeUnits(units: readonly string[], place: ProgramPlace): string[] {
  const written: string[] = [];
  const put = (file: string, text: string): void => {
    if (existsSync(file)) throw new GitsyncError('halted', `${file} was not written by gitsync, and stays as it is.`, { hint: 'move it away, then: gitsync service install' });
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    written.push(file);
  };
  for (const unit of units) {
    removeUnit(unit);
    const text = typeof __GITSYNC_UNITS__ === 'object' ? __GITSYNC_UNITS__[unit] : undefined;
    if (!isPackaged(place, unit) && text !== undefined) put(join(userUnitDirectory(), unit), note + text);
    const dropIn = unit.endsWith('.service') ? renderDropIn(unit, place) : '';
    if (dropIn !== '') put(dropInFile(unit), dropIn);
  }
  return written;
}

const isOurs = (file: string): boolean => existsSync(file) && readFileSync(file, 'utf8').startsWith(note);

/** Removes what `writeUnits` wrote for a unit; units and drop-ins of the person's own stay. */
export function removeUnit(unit: string): string[] {
  const files = [join(userUnitDirectory(), unit), dropInFile(unit)].filter(isOurs);
  for (const file of files) rmSync(file);
  try {
    rmdirSync(dirname(dropInFile(unit)));
  } catch {
    // Not there, or not empty.
  }
  return files;
}
