/** Names of container remotes. */
import { GitsyncError } from '../errors.ts';

/**
 * Checks a name. `lxc-create -n ..` writes outside its directory, and accepts
 * spaces, `;` and a leading dash, so nothing of the kind may reach it.
 * @throws GitsyncError `usage`
 */
export function checkName(name: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return name;
  throw new GitsyncError('usage', `${JSON.stringify(name)} cannot be the name of a container: a to z, 0 to 9 and dashes, 63 at most, no dash in front.`);
}
