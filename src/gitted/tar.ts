/** A tar archive (ustar) in memory, to put files into a machine with one stream. */
import { GitsyncError } from '../errors.ts';

export interface ArchivedFile {
  /** Relative, with forward slashes. */
  path: string;
  mode: number;
  content: Buffer;
}

function header(path: string, mode: number, sizeBytes: number, type: '0' | '5'): Buffer {
  const block = Buffer.alloc(512);
  const cut = path.length <= 100 ? -1 : path.lastIndexOf('/', 155);
  const name = path.slice(cut + 1);
  if (Buffer.byteLength(name) > 100 || cut > 155) throw new GitsyncError('bug', `${path} is too long for an archive.`);
  block.write(name, 0);
  block.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  block.write('0000000\0'.repeat(2), 108);
  block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\u000000', 257);
  if (cut > 0) block.write(path.slice(0, cut), 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** The archive of the files and their directories; everything belongs to root. */
export function archive(files: readonly ArchivedFile[]): Buffer {
  const parts: Buffer[] = [];
  const directories = new Set<string>();
  for (const { path, mode, content } of files) {
    const steps = path.split('/').slice(0, -1);
    steps.forEach((_, index) => {
      const directory = `${steps.slice(0, index + 1).join('/')}/`;
      if (directories.has(directory)) return;
      directories.add(directory);
      parts.push(header(directory, 0o755, 0, '5'));
    });
    parts.push(header(path, mode, content.length, '0'), content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}
