import { describe, expect, test } from '@jest/globals';
import { rawFromText } from '../../src/core/raw-path.ts';
import { isTransientName } from '../../src/core/transient-names.ts';

const transient = [
  '4913', 'notes/4913', '.todo.md.swp', '.todo.md.swo', '.todo.md.swx', '.todo.md.swa', 'todo.swp', 'todo.md~', 'a.~1~', '.todo.md.un~',
  '.#todo.md', '#todo.md#', '.todo.md.kate-swp', '.todo.md.kak.x3ZqPa', 'a.ts___jb_tmp___', 'a.ts___jb_old___',
  '~$report.docx', '~WRL0001.tmp', '.~report.docx', '.~lock.table.ods#', '.goutputstream-AB12CD', 'talk.pages.sb-1a2b3c4d-Xy12Zz',
  'film.mkv.part', 'film.mkv.crdownload', 'film.aria2', 'film.!qB', '.syncthing.todo.md.tmp', '.unison.todo.md.1a2b.unison.tmp',
  '.mutagen-temporary-cross-device-rename-1', '.todo.md.~1f2a', '.DS_Store', 'deep/.DS_Store', '._todo.md', 'Thumbs.db', 'ehthumbs.db',
  '.nfs000000000123abcd00000001', '.fuse_hidden0000002a00000001', '.gitsync-stage', '.gitsync-stage/1/todo.md', 'notes/\n.md~',
];

const kept = [
  '4913.md', '14913', '49130', 'notes4913', '4913/todo.md', '.swp', 'a.svg', '.icon.svg', 'a.swf', 'a.swift', 'dump.sql', '.cache.sqlite', '~', '~/a', 'home~/a.md',
  '#', '#todo', 'todo#', 'c#.md', 'build.tmp', 'tmp', 'main.js.download', 'part', 'a.part.md', 'partial', 'a.partial', '.part', '.eslintrc.backup',
  'package-lock.json', 'yarn.lock', 'a.bak', 'a.orig', 'app.db-wal', 'app.db-journal', 'thumbs.db.md', '.nfsrc', '.nfs', '.gitignore', '.gitsync-stages',
  '__init__.py', '_notes.md', '.bashrc', 'ch2.conflict-20261120-101500-desktop-93513af.tex', 'a.sb-notes', 'x.sb-12345678', '.fuse_hidden', '$x', '~notes.md',
];

describe('transient names', () => {
  test.each(transient)('%j is left out', (name) => expect(isTransientName(rawFromText(name))).toBe(true));
  test.each(kept)('%j is kept', (name) => expect(isTransientName(rawFromText(name))).toBe(false));

  test('a name that is not UTF-8 is judged by its bytes', () => {
    expect(isTransientName(rawFromText('x') as never)).toBe(false);
    expect(isTransientName(Buffer.from([0xff, 0x0a, 0x7e]).toString('latin1') as never)).toBe(true);
  });
});
