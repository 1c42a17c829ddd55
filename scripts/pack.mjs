// One program as one file that starts quickly: esbuild splits it where it uses `import()`, and each piece becomes a string
// that is compiled when it is first asked for. What is only ever printed, such as a version, waits for no compiler.
import { build, transform } from 'esbuild';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Loads a piece by its name; anything else is a built-in module. The file runs wherever it is copied to: as a CommonJS
 * script or as a module alike, under any name. The built-in modules that take long are loaded at their first use.
 */
const loader = `(() => {
const builtin = process.getBuiltinModule;
const { compileFunction } = builtin('node:vm');
const fileUrl = builtin('node:url').pathToFileURL(process.argv[1]).href;
const slow = /^(node:)?(child_process|crypto|dgram|http|http2|https|inspector|net|tls|zlib)$/;
const loaded = {};
const later = (name) => new Proxy({}, {
  get: (_, key) => builtin(name)[key],
  has: (_, key) => key in builtin(name),
  ownKeys: () => Reflect.ownKeys(builtin(name)),
  getOwnPropertyDescriptor: (_, key) => ({ configurable: true, enumerable: true, get: () => builtin(name)[key] }),
});
const load = (name) => {
  if (loaded[name] !== undefined) return loaded[name].exports;
  if (pieces[name] === undefined) return (loaded[name] = { exports: slow.test(name) ? later(name) : builtin(name) }).exports;
  const module = (loaded[name] = { exports: {} });
  compileFunction(pieces[name], ['require', 'module', 'exports', 'fileUrl'], { filename: process.argv[1] + '#' + name })(load, module, module.exports, fileUrl);
  return module.exports;
};
`;

/** Writes the program of an entry file. `options` are esbuild's. */
export async function pack(entry, outfile, options) {
  const first = `./${basename(entry, '.ts')}.js`;
  const { outputFiles } = await build({ ...options, entryPoints: [entry], outdir: dirname(outfile), splitting: true, write: false, format: 'esm', define: { ...options.define, 'import.meta.url': 'fileUrl' } });
  const pieces = await Promise.all(outputFiles.map(async ({ path, text }) => {
    const { code } = await transform(text, { format: 'cjs', platform: 'node', target: options.target, minify: options.minify ?? false, minifySyntax: true, supported: { 'dynamic-import': false } });
    return `${JSON.stringify(`./${basename(path)}`)}: ${JSON.stringify(code)}`;
  }));
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(outfile, `#!/usr/bin/env node\n${loader}const pieces = {\n${pieces.join(',\n')}\n};\nload(${JSON.stringify(first)});\n})();\n`);
}
