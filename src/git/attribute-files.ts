/** Which `.gitattributes` files count for a path: one in each directory above it. */
import { directoriesAbove, joinRaw, type RawPath } from '../core/raw-path.ts';

/** The names that attribute files for these paths would have, each once. */
export function attributeFilesAbove(paths: Iterable<RawPath>): RawPath[] {
  return directoriesAbove(paths).map((directory) => joinRaw(directory, '.gitattributes'));
}
