/** Which `.gitattributes` files count for a path: one in each directory above it. */
import { joinRaw, splitRaw, type RawPath } from '../core/raw-path.ts';

/** The names that attribute files for these paths would have, each once. */
export function attributeFilesAbove(paths: Iterable<RawPath>): RawPath[] {
  const directories = new Set<RawPath>();
  for (const path of paths) {
    let { directory } = splitRaw(path);
    while (!directories.has(directory)) {
      directories.add(directory);
      if (directory !== '') directory = splitRaw(directory).directory;
    }
  }
  return [...directories].map((directory) => joinRaw(directory, '.gitattributes'));
}
