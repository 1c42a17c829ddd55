/** Which file system holds a path, and whether other machines can change files behind the kernel's back. */
import { readFileSync, realpathSync } from 'node:fs';

/** A line of /proc/self/mountinfo. Paths are bytes as latin1. */
export interface Mount {
  mountPoint: string;
  type: string;
}

const networkTypes = new Set([
  'nfs', 'nfs3', 'nfs4', 'cifs', 'smb3', 'smbfs', 'ncpfs', 'afs', 'coda', 'ceph', 'davfs', 'glusterfs', 'lustre', 'beegfs', 'gpfs',
  'orangefs', 'pvfs2', 'ocfs2', 'gfs2', '9p', 'drvfs', 'virtiofs', 'vboxsf', 'prl_fs', 'vmhgfs', 'hgfs', 'acfs',
]);

/** FUSE file systems whose files lie on this machine's own disks: everyone who changes them goes through this kernel. */
const localFuseTypes = new Set([
  'fuse.ntfs-3g', 'fuse.exfat', 'fuse.ext2', 'fuse.zfs', 'fuse.bindfs', 'fuse.mergerfs', 'fuse.unionfs', 'fuse.fuse-overlayfs',
  'fuse.encfs', 'fuse.gocryptfs', 'fuse.cryfs', 'fuse.securefs', 'fuse.lxcfs', 'fuse.snapfuse', 'fuse.apfs', 'fuse.dislocker',
]);

/**
 * Whether inotify is blind to part of the changes on such a file system. An
 * unknown FUSE type counts as one (sshfs, rclone, s3fs, gvfs and many more
 * are): polling where it is not needed costs a little, a missed change costs more.
 */
export function isNetworkType(type: string): boolean {
  if (networkTypes.has(type)) return true;
  return (type === 'fuse' || type.startsWith('fuse.')) && !localFuseTypes.has(type);
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** Parses /proc/self/mountinfo (proc_pid_mountinfo(5)), read as latin1. */
export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    // Optional fields, any number of them, end at a lone hyphen; the type follows.
    const separator = fields.indexOf('-', 6);
    const mountPoint = fields[4];
    const type = fields[separator + 1];
    if (separator < 0 || mountPoint === undefined || type === undefined) continue;
    mounts.push({ mountPoint: unescapeOctal(mountPoint), type: unescapeOctal(type) });
  }
  return mounts;
}

/** The mount that holds an absolute path (bytes as latin1); of two on the same place the later one hides the other. */
export function findMount(path: string, mounts: readonly Mount[]): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    const holds = mount.mountPoint === '/' || path === mount.mountPoint || path.startsWith(`${mount.mountPoint}/`);
    if (holds && (best === undefined || mount.mountPoint.length >= best.mountPoint.length)) best = mount;
  }
  return best;
}

/** The type of the network file system that holds an absolute path, or undefined on a local disk or where that cannot be known. */
export function networkFileSystemOf(path: string): string | undefined {
  try {
    const real = realpathSync(path, { encoding: 'latin1' });
    const type = findMount(real, parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1')))?.type;
    return type !== undefined && isNetworkType(type) ? type : undefined;
  } catch {
    return undefined;
  }
}
