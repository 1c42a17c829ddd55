import { expect, test } from '@jest/globals';
import { findMount, isNetworkType, networkFileSystemOf, parseMountInfo } from '../../src/watch/mounts.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

/** Lines as real machines show them. */
const sample = String.raw`22 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard,errors=remount-ro
97 28 0:52 / /home/anna/nas rw,relatime shared:50 - nfs4 nas.example.org:/export/anna rw,vers=4.2,rsize=1048576
98 28 0:53 / /mnt/Windows\040share rw,relatime shared:51 master:3 propagate_from:2 - cifs //server/Shared\040Files rw,vers=3.1.1
99 28 0:54 / /home/anna/remote rw,nosuid,nodev,relatime - fuse.sshfs anna@host:/srv rw,user_id=1000
100 28 8:17 / /media/anna/USB\134odd\012name rw,nosuid,nodev,relatime shared:60 - fuseblk /dev/sdb1 rw,user_id=0
101 97 8:33 / /home/anna/nas/local rw,relatime - xfs /dev/sdc1 rw
102 28 0:60 / /mnt/c rw,noatime - 9p C:\134 rw,aname=drvfs;path=C:\134
103 28 0:61 / /work rw,relatime - ext4 /dev/vdb rw
104 103 0:62 / /work rw,relatime - virtiofs share rw
not a mount line
`;
const mounts = parseMountInfo(sample);
const typeOf = (path: string): string | undefined => findMount(path, mounts)?.type;

test('reads mount points with spaces, backslashes and newlines, and any number of optional fields', () => {
  expect(mounts).toHaveLength(10);
  expect(mounts.map(({ mountPoint }) => mountPoint)).toEqual(expect.arrayContaining(['/mnt/Windows share', '/media/anna/USB\\odd\nname']));
  expect(mounts[3]).toEqual({ mountPoint: '/mnt/Windows share', type: 'cifs' });
});

test.each([
  ['/', 'ext4'],
  ['/home/anna/notes', 'ext4'],
  ['/home/anna/nas', 'nfs4'],
  ['/home/anna/nas/deep/er', 'nfs4'],
  ['/home/anna/nas-not', 'ext4'],
  ['/home/anna/nas/local/x', 'xfs'],
  ['/mnt/Windows share/x', 'cifs'],
  ['/mnt/c/Users', '9p'],
  ['/media/anna/USB\\odd\nname/x', 'fuseblk'],
  // Of two mounts on one place the later one is seen.
  ['/work/x', 'virtiofs'],
])('%j lies on %s', (path, type) => expect(typeOf(path)).toBe(type));

test.each(['nfs', 'nfs4', 'cifs', 'smb3', 'smbfs', '9p', 'fuse.sshfs', 'fuse.rclone', 'fuse.s3fs', 'afs', 'ceph', 'glusterfs', 'fuse.glusterfs', 'davfs', 'fuse', 'vboxsf', 'virtiofs', 'fuse.something-new'])(
  'polls on %s', (type) => expect(isNetworkType(type)).toBe(true),
);

test.each(['ext4', 'xfs', 'btrfs', 'zfs', 'tmpfs', 'overlay', 'fuseblk', 'fuse.gocryptfs', 'vfat', 'exfat', 'ecryptfs', 'f2fs'])(
  'lets the kernel tell on %s', (type) => expect(isNetworkType(type)).toBe(false),
);

test('takes a path that is not there for local', () => {
  expect(networkFileSystemOf('/no/such/path')).toBeUndefined();
});

describeWith(['linux'], 'on this machine', () => {
  test('finds a temporary directory on a local disk', () => {
    expect(networkFileSystemOf(tempDir('mount'))).toBeUndefined();
  });
});
