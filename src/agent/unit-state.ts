/** How a unit of the person's own systemd is. */
import { showUnit } from './user-manager.ts';

export interface ServiceState {
  unit: string;
  /** The unit's file; '' where there is none. */
  file: string;
  /** Whether it starts by itself. */
  enabled: boolean;
  /** systemd's words: `active`, `activating`, `inactive`, `failed`. */
  active: string;
  /** What the program says of itself. */
  text: string;
  pid: number;
  /** How often systemd started it again. */
  restarts: number;
  /** systemd's word for how it ended: `success`, `exit-code`, `watchdog`, ... */
  result: string;
  exitCode: number;
}

/** Asks systemd. */
export async function readState(unit: string): Promise<ServiceState> {
  const shown = await showUnit(unit, ['FragmentPath', 'UnitFileState', 'ActiveState', 'StatusText', 'MainPID', 'NRestarts', 'Result', 'ExecMainStatus']);
  return {
    unit,
    file: shown.FragmentPath,
    enabled: shown.UnitFileState === 'enabled',
    active: shown.ActiveState,
    text: shown.StatusText,
    pid: Number(shown.MainPID),
    restarts: Number(shown.NRestarts),
    result: shown.Result,
    exitCode: Number(shown.ExecMainStatus),
  };
}
