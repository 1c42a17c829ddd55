/** Small files that survive a power cut: whoever reads sees the old content or the new. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Flushes a directory's entries to disk. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file that only its owner may read; `FILE.new` is in use meanwhile. */
export async function replaceDurably(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await syncDirectory(dirname(file));
}
