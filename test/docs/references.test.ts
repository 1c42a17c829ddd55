import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const pages = ['.', 'docs', 'docs/design'].flatMap((directory) => readdirSync(join(root, directory)).filter((name) => name.endsWith('.md')).map((name) => join(directory, name)));
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });

/** `#heading` as it appears in links. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => (title as string).toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-'));
}

test.each(pages)('%s links only to pages and headings that exist', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  for (const [, target] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
    const [file = '', anchor] = (target as string).split('#');
    const linked = file === '' ? page : join(dirname(page), file);
    expect({ target, exists: existsSync(join(root, linked)) }).toEqual({ target, exists: true });
    if (anchor !== undefined) expect(anchorsOf(readFileSync(join(root, linked), 'utf8'))).toContain(anchor);
  }
});

test.each(pages)('%s names only source files that exist', (page) => {
  for (const [, name] of readFileSync(join(root, page), 'utf8').matchAll(/`(?:src\/)?([\w/-]+\.ts)`/g)) {
    const known = existsSync(join(root, name as string)) || sources.some((source) => source === name || source.endsWith(`/${name}`));
    expect({ name, known }).toEqual({ name, known: true });
  }
});
