/** Who a process is, so that a process id which was given out again is not taken for the old one. */
import { readFileSync } from 'node:fs';

/** Start time of a process in clock ticks since boot (proc(5), field 22), or '' where that cannot be known. */
function startTimeOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** `PID START` of this process. */
export function ownIdentity(): string {
  return `${process.pid} ${startTimeOf(process.pid)}`;
}

/** Whether the process that gave this identity still runs. */
export function isAlive(identity: string): boolean {
  const [pidText = '', startTime = ''] = identity.split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
  const now = startTimeOf(pid);
  return startTime === '' || now === '' || now === startTime;
}
