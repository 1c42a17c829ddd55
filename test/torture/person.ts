/** What a person and their programs do to files. Every action tells the ledger what was written and what was replaced. */
import {
  chmodSync, closeSync, existsSync, fstatSync, ftruncateSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync, writeSync,
} from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Ledger } from './ledger.ts';
import type { TortureMachine } from './machine.ts';
import { pickWeighted, type Random } from './random.ts';

export interface Person {
  machine: TortureMachine;
  ledger: Ledger;
  random: Random;
  /** A word that no other version has. */
  token(): string;
}

/** More files than this, and the person tidies up instead of adding. */
const manyFiles = 1_500;

const folders = ['', 'work', 'work/reports', 'notes', 'notes/2026', 'Ünïcode ordner', 'deep/er/still', 'with space'];
const stems = ['todo', 'Plan', 'plan', 'diary', 'list', 'report', 'a', 'B', 'README', "it's", 'two\nlines', 'ärger', '-dash', 'x'.repeat(120)];
const endings = ['.md', '.txt', '.txt', '.json', '.bin', '.py', ''];

/** What everybody works on at once. */
const hot = ['hot/one.md', 'hot/two.txt', 'hot/three.json', 'hot/four.bin', 'hot/five', 'hot/six.py'];

const weights = {
  add: 14, 'edit in place': 18, 'atomic save': 16, append: 10, 'delete': 6, move: 7, 'move over': 2, 'move folder': 3, 'delete folder': 1, mode: 3,
  symlink: 2, 'big file': 1, burst: 1, 'editor droppings': 4, 'case rename': 3, 'file becomes folder': 1, 'folder becomes file': 1, rewrite: 3, empty: 1, 'quick saves': 3, copy: 2, 'torn save': 2,
} as const;

export type FileAction = keyof typeof weights;

interface Found {
  files: string[];
  folders: string[];
}

function listWork(root: string): Found {
  const found: Found = { files: [], folders: [] };
  const walk = (directory: string): void => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.name === '.git' || entry.name === '.gitsync-stage') continue;
      if (entry.isDirectory()) {
        found.folders.push(path);
        walk(path);
      } else if (entry.isFile() || entry.isSymbolicLink()) found.files.push(path);
    }
  };
  walk('');
  found.files.sort();
  found.folders.sort();
  return found;
}

function newPath({ random }: Person, found: Found): string {
  const folder = random.chance(0.3) && found.folders.length > 0 ? random.pick(found.folders) : random.pick(folders);
  const name = `${random.pick(stems)}${random.chance(0.4) ? random.below(20) : ''}${random.pick(endings)}`;
  return folder === '' ? name : `${folder}/${name}`;
}

function makeContent({ random, token }: Person, path: string): Buffer {
  if (path.endsWith('.bin')) return Buffer.concat([randomFillSync(Buffer.alloc(20 + random.below(5_000))), Buffer.from(token())]);
  if (path.endsWith('.json')) return Buffer.from(`${JSON.stringify({ id: token(), list: Array.from({ length: random.below(6) }, token), nested: { value: random.below(100), other: token() } }, null, 2)}\n`);
  return Buffer.from(Array.from({ length: 1 + random.below(30) }, (_, i) => `line ${i} ${token()}\n`).join(''));
}

/** Changes a few lines, so that there is something to merge. */
function changeContent(person: Person, path: string, before: Buffer): Buffer {
  const { random, token } = person;
  if (path.endsWith('.bin') || path.endsWith('.json') || before.includes(0) || before.length === 0) return makeContent(person, path);
  const lines = before.toString('latin1').split('\n');
  for (let i = 0; i <= random.below(3); i += 1) {
    const at = random.below(lines.length);
    const line = `changed ${token()}`;
    if (random.chance(0.6)) lines[at] = line;
    else if (random.chance(0.6)) lines.splice(at, 0, line);
    else lines.splice(at, 1, line);
  }
  return Buffer.from(lines.join('\n'), 'latin1');
}

/** Writes with what an editor would do; the version counts once it is complete. */
function save(person: Person, path: string, content: Buffer, how: 'in place' | 'atomic', action: string): void {
  const { machine, ledger, random } = person;
  const file = join(machine.root, path);
  mkdirSync(dirname(file), { recursive: true });
  ledger.gone(machine.name, path);
  if (how === 'in place') writeFileSync(file, content);
  else {
    const temporary = join(dirname(file), random.pick(['.goutputstream-ABC123', 'save.part', '.#save', 'save~']));
    try {
      writeFileSync(temporary, content);
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }
  ledger.wrote(machine.name, path, content, action);
}

/** Adds to whatever file the descriptor leads to, and reports what that holds then. */
function appendTo(person: Person, path: string, action: string): void {
  const { machine, ledger, token } = person;
  const descriptor = openSync(join(machine.root, path), 'a+');
  try {
    ledger.gone(machine.name, path);
    writeSync(descriptor, `appended ${token()}\n`);
    const content = Buffer.alloc(fstatSync(descriptor).size);
    for (let at = 0; at < content.length; ) {
      const count = readSync(descriptor, content, at, content.length - at, at);
      if (count === 0) break;
      at += count;
    }
    ledger.wrote(machine.name, path, content, action);
  } finally {
    closeSync(descriptor);
  }
}

function removeFile({ machine, ledger }: Person, path: string): void {
  ledger.gone(machine.name, path);
  unlinkSync(join(machine.root, path));
}

function move(person: Person, from: string, to: string): void {
  const { machine, ledger } = person;
  mkdirSync(dirname(join(machine.root, to)), { recursive: true });
  ledger.gone(machine.name, to);
  renameSync(join(machine.root, from), join(machine.root, to));
  ledger.moved(machine.name, from, to);
}

function swapCase(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  return path.slice(0, slash) + (name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase());
}

function isPlain(person: Person, path: string): boolean {
  const info = lstatSync(join(person.machine.root, path), { throwIfNoEntry: false });
  return info?.isFile() ?? false;
}

/** Does one thing to the files. @returns what was done to which path, or undefined where there was nothing to do it to. */
export function actOnFiles(person: Person): { action: FileAction; path: string } | undefined {
  const { machine, ledger, random } = person;
  const found = listWork(machine.root);
  let action: FileAction = pickWeighted(random, weights);
  if (found.files.length > manyFiles && ['add', 'burst', 'copy'].includes(action)) action = 'delete folder';
  const plain = found.files.filter((path) => isPlain(person, path));
  if (random.chance(0.4)) return actOnHot(person, random.pick(hot));
  const path = plain.length === 0 || ['add', 'symlink', 'big file', 'burst', 'empty'].includes(action) ? newPath(person, found) : random.pick(plain);
  const file = join(machine.root, path);
  if (!existsSync(file) && !['symlink', 'big file', 'burst', 'empty'].includes(action)) action = 'add';
  switch (action) {
    case 'add':
    case 'rewrite':
      save(person, path, makeContent(person, path), random.chance(0.5) ? 'in place' : 'atomic', action);
      break;
    case 'edit in place':
    case 'atomic save':
      save(person, path, changeContent(person, path, readFileSync(file)), action === 'atomic save' ? 'atomic' : 'in place', action);
      break;
    case 'quick saves':
      for (let i = 0; i < 5; i += 1) save(person, path, changeContent(person, path, readFileSync(file)), random.chance(0.5) ? 'in place' : 'atomic', action);
      break;
    case 'torn save':
      tornSave(person, path);
      break;
    case 'append':
      appendTo(person, path, action);
      break;
    case 'copy':
      save(person, newPath(person, found), readFileSync(file), 'in place', action);
      break;
    case 'delete':
      removeFile(person, path);
      break;
    case 'move':
      move(person, path, newPath(person, found));
      break;
    case 'move over':
      move(person, path, random.pick(plain));
      break;
    case 'case rename':
      move(person, path, swapCase(path));
      break;
    case 'mode':
      chmodSync(file, statSync(file).mode ^ 0o111);
      break;
    case 'symlink':
      makeLink(person, path);
      break;
    case 'empty':
      save(person, path, Buffer.alloc(0), 'in place', action);
      break;
    case 'big file':
      save(person, path, randomFillSync(Buffer.alloc(1_000_000 + random.below(6_000_000))), 'in place', action);
      break;
    case 'burst':
      burst(person, newPath(person, found).replace(/\.\w+$/, ''));
      break;
    case 'editor droppings':
      editWithDroppings(person, path);
      break;
    case 'move folder':
      if (found.folders.length === 0) return undefined;
      move(person, random.pick(found.folders), `moved ${random.below(1_000)}/${random.pick(['x', 'y/z'])}`);
      break;
    case 'delete folder': {
      const folder = found.folders.length === 0 ? undefined : random.pick(found.folders);
      if (folder === undefined) return undefined;
      ledger.gone(machine.name, folder);
      rmSync(join(machine.root, folder), { recursive: true, force: true });
      return { action, path: folder };
    }
    case 'file becomes folder':
      removeFile(person, path);
      save(person, `${path}/inside.txt`, makeContent(person, 'inside.txt'), 'in place', action);
      break;
    case 'folder becomes file': {
      const folder = found.folders.find((name) => listWork(join(machine.root, name)).files.length < 10);
      if (folder === undefined) return undefined;
      ledger.gone(machine.name, folder);
      rmSync(join(machine.root, folder), { recursive: true, force: true });
      save(person, folder, makeContent(person, 'x.txt'), 'in place', action);
      return { action, path: folder };
    }
    default:
      return action satisfies never;
  }
  return { action, path };
}

/** A save, whatever the other machines do to the same file at this moment. */
function actOnHot(person: Person, path: string): { action: FileAction; path: string } {
  const { machine, random } = person;
  const action = isPlain(person, path) ? random.pick(['edit in place', 'atomic save', 'append', 'torn save', 'rewrite', 'quick saves', 'delete'] as const) : 'add';
  const content = (): Buffer => (action === 'add' || action === 'rewrite' ? makeContent(person, path) : changeContent(person, path, readFileSync(join(machine.root, path))));
  if (action === 'append') appendTo(person, path, action);
  else if (action === 'torn save') tornSave(person, path);
  else if (action === 'delete') removeFile(person, path);
  else for (let i = 0; i < (action === 'quick saves' ? 3 : 1); i += 1) save(person, path, content(), action === 'edit in place' || random.chance(0.4) ? 'in place' : 'atomic', action);
  return { action, path };
}

/** A program that keeps the file open, empties it, and takes its time to fill it again. */
function tornSave(person: Person, path: string): void {
  const { machine, ledger } = person;
  const content = makeContent(person, path);
  const descriptor = openSync(join(machine.root, path), 'r+');
  try {
    ledger.gone(machine.name, path);
    ftruncateSync(descriptor, 0);
    const middle = content.length >> 1;
    writeSync(descriptor, content, 0, middle, 0);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, person.random.below(120));
    writeSync(descriptor, content, middle, content.length - middle, middle);
    ledger.wrote(machine.name, path, content, 'torn save');
  } finally {
    closeSync(descriptor);
  }
}

function makeLink(person: Person, path: string): void {
  const { machine, ledger, token } = person;
  const file = join(machine.root, path);
  const target = `../nowhere/${token()}`;
  mkdirSync(dirname(file), { recursive: true });
  ledger.gone(machine.name, path);
  rmSync(file, { force: true });
  symlinkSync(target, file);
  ledger.wrote(machine.name, path, target, 'symlink');
}

function burst(person: Person, folder: string): void {
  const count = 50 + person.random.below(250);
  for (let i = 0; i < count; i += 1) save(person, `${folder}/${i % 7}/file ${i}.txt`, Buffer.from(`${person.token()}\n`), 'in place', 'burst');
}

/** vim: a swap file, the number 4913, a backup that goes again. */
function editWithDroppings(person: Person, path: string): void {
  const { machine, random } = person;
  const file = join(machine.root, path);
  const folder = dirname(file);
  const droppings = [join(folder, '4913'), join(folder, '.edited.swp'), `${file.slice(0, 200)}~`];
  try {
    for (const each of droppings) writeFileSync(each, 'for a moment');
    save(person, path, changeContent(person, path, readFileSync(file)), random.chance(0.5) ? 'atomic' : 'in place', 'editor droppings');
  } finally {
    for (const each of droppings) rmSync(each, { force: true });
  }
}
