/** Names of refs, checked without git (git-check-ref-format(1)), since they come from strangers. */

/** Control characters, space and what git gives a meaning: none may stand in a ref's name. */
const forbidden = /[\u0000- \u007f~^:?*[\\]/;

/** Whether the text (UTF-8, or bytes as latin1) is a full ref name that git accepts. */
export function isRefName(name: string): boolean {
  if (!name.startsWith('refs/') || forbidden.test(name) || name.includes('..') || name.includes('@{') || name.endsWith('.')) return false;
  const parts = name.split('/');
  return parts.length >= 3 && parts.every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}
