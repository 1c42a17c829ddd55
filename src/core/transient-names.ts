/** Names of files that a program makes for a moment beside the real one. They are never committed. */
import { splitRaw, type RawPath } from './raw-path.ts';

/** Where staged content lies when the git directory is on another file system than the work tree. */
export const stageName = '.gitsync-stage';

/**
 * Each pattern matches a whole file name. A legitimate file that is left out
 * would be lost without a word, so what is ambiguous is not listed: `*.tmp`
 * (people and build tools keep such files), `*.download` (browsers call scripts
 * of a saved page so), `.NAME.XXXXXX` (rsync, QSaveFile: also `.eslintrc.backup`),
 * `*.lock`, `*.bak`, `*.orig`, and SQLite's `-wal` and `-journal` (they hold data).
 */
const patterns: readonly RegExp[] = [
  // Vim and nano: swap files, and the number with which vim tests whether it may write here.
  /4913/,
  /.+\.sw[opx]/,
  /\..+\.sw[a-p]/,
  // Emacs: lock, auto-save. Emacs, vim, gedit and many others: backup.
  /\.#.+/,
  /#.+#/,
  /.+~/,
  // Kate, Kakoune, JetBrains.
  /\..+\.kate-swp/,
  /\..+\.kak\.[A-Za-z0-9]{6}/,
  /.+___jb_(?:tmp|old|bak)___/,
  // Microsoft Office and what writes like it; LibreOffice and WPS.
  /~\$.+/,
  /~.+\.tmp/,
  /\.~.+/,
  // GLib (gedit, Files, every GNOME program) and macOS while they save.
  /\.goutputstream-.+/,
  /.+\.sb-[0-9a-f]{8}-[A-Za-z0-9]{6}/,
  // Downloads that are not finished: Firefox, Chrome, Opera, aria2, WinSCP, torrents.
  /.+\.(?:part|crdownload|opdownload|aria2|filepart|!qB|!ut|!sync)/,
  // Other programs that keep folders in step.
  /\.syncthing\..+\.tmp/,
  /\.unison\..+\.tmp/,
  /\.mutagen-temporary-.+/,
  /\..+\.~[0-9a-f]+/,
  // What a file browser leaves behind.
  /\.DS_Store/,
  /\._.+/,
  /(?:[Ee]h)?[Tt]humbs\.db/,
  // Deleted files that a process still has open, on NFS and on FUSE.
  /\.nfs[0-9A-Fa-f.]{8,}/,
  /\.fuse_hidden[0-9a-f]+/,
];

const transient = new RegExp(`^(?:${patterns.map(({ source }) => source).join('|')})$`, 's');

/** Whether a file's name says that a program made it for a moment, or that it is our own staged content. */
export function isTransientName(path: RawPath): boolean {
  return transient.test(splitRaw(path).name) || path.split('/').includes(stageName);
}
