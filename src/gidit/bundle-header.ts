/** The header of a git bundle (gitformat-bundle(5)), read by ourselves since git trusts what it says. */
import { isUtf8 } from 'node:buffer';
import { compareNames, type PushObject, type RefEntry } from './push-object.ts';
import { isRefName } from './ref-name.ts';
import { Refusal } from './refusal.ts';

export interface BundleHeader {
  /** Commits that the receiver must have. */
  prerequisites: string[];
  tips: RefEntry[];
  oidLength: 40 | 64;
  /** Where the pack begins. */
  packOffset: number;
}

/** As many bytes of a bundle as `parseBundleHeader` may need. */
export const maxHeaderBytes = 512 * 1024;

const packMagic = Buffer.from('PACK');

/**
 * Reads the header from the first bytes of a bundle.
 * @throws Refusal `format` for anything that is not version 2 or 3, and for partial bundles.
 */
export function parseBundleHeader(bytes: Uint8Array): BundleHeader {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, maxHeaderBytes));
  const header: BundleHeader = { prerequisites: [], tips: [], oidLength: 40, packOffset: 0 };
  const version = /^# v([23]) git bundle\n/.exec(all.subarray(0, 16).toString('latin1'))?.[1];
  if (version === undefined) throw new Refusal('format', 'This is not a git bundle.');
  for (let at = 16; ; ) {
    const end = all.indexOf(10, at);
    if (end < 0) throw new Refusal('format', 'The header of a bundle has no end.');
    if (end === at) {
      header.packOffset = end + 1;
      break;
    }
    readHeaderLine(header, all.subarray(at, end), version);
    at = end + 1;
  }
  if (!all.subarray(header.packOffset, header.packOffset + 4).equals(packMagic)) throw new Refusal('format', 'A bundle without a pack.');
  return header;
}

function readHeaderLine(header: BundleHeader, line: Buffer, version: string): void {
  const text = line.toString('utf8');
  if (text.startsWith('@')) {
    const format = /^@object-format=(sha1|sha256)$/.exec(text)?.[1];
    // A filter means that objects are left out on purpose.
    if (version !== '3' || format === undefined) throw new Refusal('format', 'A bundle asks for something that is not taken here.');
    header.oidLength = format === 'sha256' ? 64 : 40;
    return;
  }
  const [, minus, id = '', rest = ''] = /^(-?)([0-9a-f]+)(?: (.*))?$/s.exec(text) ?? [];
  if (id.length !== header.oidLength) throw new Refusal('format', 'A line in the header of a bundle cannot be read.');
  if (minus === '-') header.prerequisites.push(id);
  else if (rest === 'HEAD' || (isRefName(rest) && isUtf8(line))) header.tips.push({ id, name: rest });
  else throw new Refusal('tips', 'A bundle brings something that is no ref.');
}

/** The header of a bundle that brings exactly these refs. */
export function formatBundleHeader(tips: readonly RefEntry[], prerequisites: readonly string[], oidLength: 40 | 64 = 40): Buffer {
  const first = oidLength === 64 ? '# v3 git bundle\n@object-format=sha256\n' : '# v2 git bundle\n';
  return Buffer.from(`${first}${prerequisites.map((id) => `-${id} \n`).join('')}${tips.map(({ id, name }) => `${id} ${name}\n`).join('')}\n`);
}

/**
 * Checks that a bundle brings exactly the refs that were signed: none more,
 * none else, none moved.
 * @param allowFewer also takes a bundle that leaves out refs which did not change (`git bundle create` does).
 * @throws Refusal `tips`
 */
export function checkTips(header: BundleHeader, signed: Pick<PushObject, 'refs'>, allowFewer = false): void {
  const wanted = new Map(signed.refs.map(({ id, name }) => [name, id]));
  const names = header.tips.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw new Refusal('tips', 'A bundle brings a ref twice.');
  for (const { id, name } of header.tips) if (wanted.get(name) !== id) throw new Refusal('tips', `A bundle brings ${name} at ${id}, which was not signed.`);
  const missing = [...wanted.keys()].filter((name) => !names.includes(name)).sort(compareNames);
  if (missing.length > 0 && !allowFewer) throw new Refusal('tips', `A bundle lacks ${missing[0] as string}, which was signed.`);
}
