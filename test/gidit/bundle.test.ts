import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createBundle } from '../../src/gidit/bundle.ts';
import { formatBundleHeader, parseBundleHeader } from '../../src/gidit/bundle-header.ts';
import { importBundle, importChain, isComplete } from '../../src/gidit/import-bundle.ts';
import type { PushObject, RefEntry } from '../../src/gidit/push-object.ts';
import { openRepository, type GiditRepository } from '../../src/gidit/repository.ts';
import { readRefs } from '../../src/gidit/snapshot.ts';
import { bareRemote, commitFiles, sh, tempDir, tempRepo } from '../helpers/repos.ts';

const refusal = (reason: string) => expect.objectContaining({ kind: 'refused', reason });
const open = (path: string): Promise<GiditRepository> => openRepository(path, undefined);
const signed = (refs: RefEntry[]): PushObject => ({ refs, chain: undefined, signedBytes: Buffer.alloc(0), signature: Buffer.alloc(0), id: '', diskPrev: undefined });

/** A bundle of everything that the repository has beyond `start`. */
async function bundleOf(path: string, start?: RefEntry[]): Promise<{ file: string; object: PushObject }> {
  const object = signed(await readRefs(await open(path), { tags: true }));
  const file = join(tempDir('bundle'), 'bundle');
  await createBundle(await open(path), start === undefined ? undefined : signed(start), object, file);
  return { file, object };
}
const leftovers = (path: string): string[] => readdirSync(join(path, 'objects')).filter((name) => name.startsWith('gidit-incoming-'));
/** Feeds bytes to stock git in a repository. */
const feed = (cwd: string, input: string | Buffer, ...args: string[]): Buffer => execFileSync('git', args, { cwd, input, stdio: ['pipe', 'pipe', 'pipe'] });

/** A bundle with the given tip, made of all objects of the repository, whatever they are. */
function rawBundle(path: string, refs: RefEntry[], pack?: Buffer): string {
  const ids = sh(path, 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)');
  const file = join(tempDir('raw'), 'bundle');
  writeFileSync(file, Buffer.concat([formatBundleHeader(refs, []), pack ?? feed(path, `${ids}\n`, 'pack-objects', '--stdout', '-q')]));
  return file;
}
/** Makes a commit of a tree given as raw bytes, which git itself would never write. */
function commitTree(path: string, tree: Buffer): string {
  const id = feed(path, tree, 'hash-object', '-t', 'tree', '-w', '--stdin', '--literally').toString().trim();
  return sh(path, 'commit-tree', '-m', 'x', id);
}
const entry = (mode: string, name: string, id: string): Buffer => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]);

describe('bundles', () => {
  test('are read by stock git, and bring branches, tags and HEAD', async () => {
    const source = tempRepo({ a: '1\n' });
    sh(source, 'branch', 'side');
    sh(source, 'tag', '-a', '-m', 'tagged', 'v1');
    const { file, object } = await bundleOf(source);
    expect(object.refs.map(({ name }) => name)).toEqual(['HEAD', 'refs/heads/main', 'refs/heads/side', 'refs/tags/v1']);
    expect(sh(source, 'bundle', 'verify', '-q', file)).toBe('');
    const clone = join(tempDir('clone'), 'x');
    sh('/', 'clone', '-q', file, clone);
    expect(sh(clone, 'tag')).toBe('v1');
    const target = bareRemote();
    expect(await importBundle(await open(target), file, object)).toBe(4);
    expect(await isComplete(await open(target), object)).toBe(true);
    expect(sh(target, 'for-each-ref')).toBe('');
    expect(leftovers(target)).toEqual([]);
  });

  test('build on each other, also where nothing new comes: a deletion, a rewind', async () => {
    const source = tempRepo({ a: '1\n' });
    const first = await bundleOf(source);
    commitFiles(source, { a: '1\n2\n' });
    const second = await bundleOf(source, first.object.refs);
    sh(source, 'branch', 'old');
    sh(source, 'reset', '-q', '--hard', 'HEAD^');
    sh(source, 'branch', '-D', '-q', 'old');
    const third = await bundleOf(source, second.object.refs);
    expect(parseBundleHeader(readFileSync(third.file)).prerequisites).toHaveLength(1);
    expect(sh(source, 'bundle', 'list-heads', third.file)).toContain('refs/heads/main');
    const target = await open(bareRemote());
    await expect(importBundle(target, second.file, second.object)).rejects.toEqual(refusal('objects'));
    expect([await importBundle(target, first.file, first.object), await importBundle(target, second.file, second.object), await importBundle(target, third.file, third.object)]).toEqual([3, expect.any(Number), 0]);
  });

  test('of SHA-256 repositories go into such repositories, and into no other', async () => {
    const source = tempDir('sha256');
    sh(source, 'init', '-q', '-b', 'main', '--object-format=sha256');
    commitFiles(source, { a: '1\n' });
    const { file, object } = await bundleOf(source);
    const target = tempDir('sha256');
    sh(target, 'init', '-q', '--bare', '--object-format=sha256');
    expect(await importBundle(await open(target), file, object)).toBe(3);
    await expect(importBundle(await open(bareRemote()), file, object)).rejects.toEqual(refusal('format'));
  });

  test('that lead from one to the next are imported as one pack, which nothing else is needed for', async () => {
    const source = tempRepo({ a: 'line\n'.repeat(400) });
    const chain = [await bundleOf(source)];
    for (const word of ['two', 'three', 'four']) {
      commitFiles(source, { a: `${'line\n'.repeat(400)}${word}\n`, [word]: `${word}\n` });
      chain.push(await bundleOf(source, chain.at(-1)?.object.refs));
    }
    const target = await open(bareRemote());
    const files = chain.map(({ file, object }) => ({ file, signed: object }));
    const { count, keepFile } = await importChain(target, files, { keep: true });
    expect(count).toBe(Number(sh(source, 'rev-list', '--objects', '--count', '--all')));
    expect(readdirSync(join(target.objectDir, 'pack')).filter((name) => name.endsWith('.pack'))).toHaveLength(1);
    expect(readFileSync(keepFile as string, 'utf8')).toBe('gidit\n');
    sh(target.gitDir, 'fsck', '--strict', chain.at(-1)?.object.refs[0]?.id as string);
    // Where a part is here already, the rest is not enough for itself.
    const other = await open(bareRemote());
    await importBundle(other, chain[0]?.file as string, chain[0]?.object as PushObject);
    expect(await importChain(other, files.slice(1), { keep: true, complete: chain[0]?.object.refs.map(({ id }) => id) ?? [] })).toMatchObject({ keepFile: undefined });
    expect(await isComplete(other, chain.at(-1)?.object as PushObject)).toBe(true);
    // One link is missing, or damaged: nothing is taken at all.
    const third = await open(bareRemote());
    const damaged = join(tempDir('bad'), 'bundle');
    const bytes = readFileSync(chain[2]?.file as string);
    bytes.fill(0, bytes.length - 60, bytes.length - 30);
    writeFileSync(damaged, bytes);
    for (const bad of [[files[0], files[2], files[3]], [files[0], files[1], { file: damaged, signed: chain[2]?.object }, files[3]]]) {
      await expect(importChain(third, bad as typeof files)).rejects.toEqual(refusal('objects'));
      expect([leftovers(third.gitDir), readdirSync(join(third.objectDir, 'pack'))]).toEqual([[], []]);
    }
  });

  test('of an empty project are empty', async () => {
    const source = tempRepo();
    const { file, object } = await bundleOf(source);
    expect([object.refs, await importBundle(await open(bareRemote()), file, object)]).toEqual([[], 0]);
  });

  test('made by stock git are taken too', async () => {
    const source = tempRepo({ a: '1\n' });
    const file = join(tempDir('stock'), 'bundle');
    sh(source, 'bundle', 'create', '-q', file, 'HEAD', '--all');
    expect(await importBundle(await open(bareRemote()), file, signed(await readRefs(await open(source))))).toBe(3);
  });
});

describe('a bundle from a stranger is refused, and leaves nothing behind,', () => {
  async function expectRefused(file: string, refs: RefEntry[], reason: string, limits = {}): Promise<void> {
    const target = bareRemote();
    await expect(importBundle(await open(target), file, signed(refs), { limits })).rejects.toEqual(refusal(reason));
    expect(leftovers(target)).toEqual([]);
    expect(sh(target, 'count-objects', '-v')).toMatch(/count: 0\n[^]*packs: 0/);
  }

  test('with a ref that was not signed, or at another place', async () => {
    const source = tempRepo({ a: '1\n' });
    const { file, object } = await bundleOf(source);
    await expectRefused(file, object.refs.slice(0, 1), 'tips');
    await expectRefused(file, object.refs.map(({ name }) => ({ name, id: '7'.repeat(40) })), 'tips');
  });

  test.each([['.git', '100644'], ['.GIT', '40000'], ['..', '40000'], ['git~1', '100644'], ['a/b', '100644']])('with a tree that has the entry %s', async (name, mode) => {
    const source = tempRepo({ a: '1\n' });
    const id = mode === '40000' ? sh(source, 'rev-parse', 'HEAD^{tree}') : sh(source, 'rev-parse', 'HEAD:a');
    const refs = [{ name: 'refs/heads/main', id: commitTree(source, entry(mode, name, id)) }];
    // Stock git takes it, whatever its settings: this is why we do it ourselves.
    const stock = bareRemote();
    if (name === '.git') execFileSync('git', ['-c', 'transfer.fsckObjects=true', 'bundle', 'unbundle', rawBundle(source, refs)], { cwd: stock, stdio: 'ignore' });
    await expectRefused(rawBundle(source, refs), refs, 'objects');
  });

  test('with a .gitmodules that runs a command', async () => {
    const source = tempRepo({ '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/x\n' });
    const { file, object } = await bundleOf(source);
    await expectRefused(file, object.refs, 'objects');
  });

  test('with objects that are missing', async () => {
    const source = tempRepo({ a: '1\n' });
    const refs = [{ name: 'refs/heads/main', id: sh(source, 'rev-parse', 'HEAD') }];
    const withoutBlob = feed(source, `${sh(source, 'rev-parse', 'HEAD')}\n${sh(source, 'rev-parse', 'HEAD^{tree}')}\n`, 'pack-objects', '--stdout', '-q');
    await expectRefused(rawBundle(source, refs, withoutBlob), refs, 'objects');
    const nothing = feed(source, '', 'pack-objects', '--stdout', '-q');
    await expectRefused(rawBundle(source, refs, nothing), refs, 'objects');
  });

  test('that is cut off, damaged, or zeros', async () => {
    const source = tempRepo({ a: '1\n' });
    const { file, object } = await bundleOf(source);
    const bytes = readFileSync(file);
    const write = (content: Buffer): string => {
      const path = join(tempDir('damaged'), 'bundle');
      writeFileSync(path, content);
      return path;
    };
    await expectRefused(write(bytes.subarray(0, bytes.length - 30)), object.refs, 'objects');
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 40] = (flipped[bytes.length - 40] as number) ^ 0xff;
    await expectRefused(write(flipped), object.refs, 'objects');
    await expectRefused(write(Buffer.concat([bytes.subarray(0, bytes.indexOf('PACK')), Buffer.alloc(4_000_000)])), object.refs, 'format');
    await expectRefused(write(Buffer.alloc(4_000_000)), object.refs, 'format');
    await expectRefused(write(Buffer.concat([bytes, Buffer.alloc(4_000_000)])), object.refs, 'size', { maxBundleBytes: 1_000_000 });
  });

  test('with a small pack that becomes a large object', async () => {
    const source = tempRepo({ zeros: Buffer.alloc(32 * 1024 * 1024) });
    const { file, object } = await bundleOf(source);
    expect(readFileSync(file).length).toBeLessThan(100_000);
    await expectRefused(file, object.refs, 'size', { maxObjectBytes: 16 * 1024 * 1024 });
    const target = bareRemote();
    sh(target, 'config', 'gidit.maxObjectSize', '16MiB');
    await expect(importBundle(await open(target), file, object)).rejects.toEqual(refusal('size'));
    sh(target, 'config', 'gidit.maxObjectSize', 'sixteen');
    await expect(importBundle(await open(target), file, object)).rejects.toEqual(expect.objectContaining({ kind: 'config' }));
  });

  test('but a tree of a billion paths in a few bytes does no harm: nothing is checked out', async () => {
    const source = tempRepo({ a: '1\n' });
    let [kind, id] = ['100644', sh(source, 'rev-parse', 'HEAD:a')];
    for (let level = 0; level < 9; level++) {
      const entries = Array.from({ length: 10 }, (_, index) => entry(kind, String(index), id));
      id = feed(source, Buffer.concat(entries), 'hash-object', '-t', 'tree', '-w', '--stdin').toString().trim();
      kind = '40000';
    }
    const refs = [{ name: 'refs/heads/main', id: sh(source, 'commit-tree', '-m', 'bomb', id) }];
    expect(await importBundle(await open(bareRemote()), rawBundle(source, refs), signed(refs))).toBeGreaterThan(10);
  });

  test.each([
    ['a filter', '# v3 git bundle\n@object-format=sha1\n@filter=blob:none\n\nPACK'],
    ['an unknown version', '# v9 git bundle\n\nPACK'],
    ['a ref that leaves refs', `# v2 git bundle\n${'1'.repeat(40)} refs/heads/../../config\n\nPACK`],
    ['a line of rubbish', '# v2 git bundle\nrubbish\n\nPACK'],
    ['a header without end', `# v2 git bundle\n${`-${'1'.repeat(40)} \n`.repeat(20_000)}`],
  ])('with %s in its header', async (_, text) => {
    const path = join(tempDir('header'), 'bundle');
    writeFileSync(path, text);
    await expect(importBundle(await open(bareRemote()), path, signed([]))).rejects.toEqual(expect.objectContaining({ kind: 'refused' }));
  });
});
