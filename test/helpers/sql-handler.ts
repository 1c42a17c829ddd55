/** What the tests of the handlers for SQL servers share: databases with a small shop in them, and edits of exported trees. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { handlerFor, treeOf, type Handler } from './handler.ts';
import { tempDir } from './repos.ts';

export interface BoundHandler extends Handler {
  database: string;
}

export interface ShopFixture {
  /** A handler bound to a database, which need not exist. */
  bound(database?: string, env?: Record<string, string>): BoundHandler;
  /** A new database with the shop and more in it, and its first export. */
  shopWith(more?: string, env?: Record<string, string>): { shop: BoundHandler; tree: string };
  /** The plain shop, which the tests that change nothing share. */
  sharedShop(): { shop: BoundHandler; tree: string };
}

/** `server` is asked late: it starts with the first test. */
export function shopFixture(engine: string, shopSql: string, server: () => { create(database: string): void; sql(database: string, text: string): unknown; env: Record<string, string> }): ShopFixture {
  let count = 0;
  let shared: ReturnType<ShopFixture['shopWith']> | undefined;
  const bound: ShopFixture['bound'] = (database = `db ${++count}`, env = {}) => ({
    database,
    ...handlerFor(engine, { ...server().env, [`GITTED_${engine.toUpperCase()}_DATABASE`]: database, ...env }),
  });
  const shopWith: ShopFixture['shopWith'] = (more = '', env = {}) => {
    const shop = bound(undefined, env);
    server().create(shop.database);
    server().sql(shop.database, shopSql + more);
    return { shop, tree: shop.export() };
  };
  return { bound, shopWith, sharedShop: () => (shared ??= shopWith()) };
}

/** A copy of an exported tree, edited. */
export function edited(tree: string, change: (dir: string) => void): string {
  const dir = tempDir('edited');
  cpSync(tree, dir, { recursive: true, preserveTimestamps: true });
  change(dir);
  return dir;
}

/** Replaces a text that must be there. */
export function replace(dir: string, path: string, from: string | RegExp, to: string): void {
  const text = readFileSync(join(dir, path), 'utf8');
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${path} does not hold ${String(from)}`);
  writeFileSync(join(dir, path), changed);
}

/** A push of the edited tree is refused with this message, and the database stays what it is. */
export function expectRefusal({ shop, tree }: { shop: BoundHandler; tree: string }, change: (dir: string) => void, message: string | RegExp): void {
  const { status, stderr } = shop.push(edited(tree, change), tree);
  expect({ status, stderr }).toEqual({ status: 1, stderr: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message) });
  expect(treeOf(shop.export())).toEqual(treeOf(tree));
}

/** After any of the steps of a push, rollback (twice) leaves the database as it was. */
export function expectTakenBack(shop: BoundHandler, tree: string, changes: ((dir: string) => void)[]): void {
  const before = treeOf(tree);
  for (const change of changes) {
    const next = edited(tree, change);
    for (const steps of [[], ['stage'], ['stage', 'verify'], ['stage', 'verify', 'recheck']]) {
      for (const step of steps) shop.must(step, next, { GITTED_OLD_DIR: tree });
      shop.must('rollback');
      shop.must('rollback');
      expect(treeOf(shop.export())).toEqual(before);
    }
  }
}

/** A commit that is asked for again, as after a crash, and a rollback after it change nothing more. */
export function commitTwice(shop: BoundHandler, next: string, old: string): void {
  for (const step of ['stage', 'verify', 'commit', 'commit', 'rollback', 'rollback']) shop.must(step, next, { GITTED_OLD_DIR: old });
}
