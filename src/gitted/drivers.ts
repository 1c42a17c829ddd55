/** Settings to driver. */
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import type { Driver } from './driver.ts';
import { localDriver, sshDriver } from './directory-driver.ts';
import { lxcDriver } from './lxc-driver.ts';
import { readType, type Project } from './project.ts';
import type { Settings } from './settings.ts';

/** The driver of a registered container. */
export function driverOf(project: Project, settings: Settings): Driver {
  switch (settings.driver) {
    case 'lxc':
      return lxcDriver(settings.container, readType(project));
    case 'local':
      return localDriver(settings.path ?? join(project.gitDir, 'gitted-machines', settings.name));
    case 'ssh':
      if (settings.host === undefined) throw new GitsyncError('config', `gitted.${settings.name}.host is missing.`, { hint: `git config gitted.${settings.name}.host user@host` });
      return sshDriver(settings.host, settings.path, settings.sshCommand?.split(' ').slice(1));
  }
}
