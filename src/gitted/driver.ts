/** What every kind of machine can do, so that nothing else asks which kind it is. */
import type { RunResult } from '../process/run.ts';

/** `partial`: left over by a creation that was cut off. */
export type MachineState = 'absent' | 'partial' | 'stopped' | 'running';

export interface ExecOptions {
  input?: Uint8Array | string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** One machine that a repository can be pushed to. */
export interface Driver {
  readonly kind: 'lxc' | 'ssh' | 'local';
  state(): Promise<MachineState>;
  /** Makes the machine, stopped or running; one that is partial is cleared away first. */
  create(): Promise<void>;
  /** Starts it and waits until it can be used; nothing when it runs already. */
  start(): Promise<void>;
  stop(): Promise<void>;
  destroy(): Promise<void>;
  /** Runs a program inside to its end. */
  exec(command: readonly string[], options?: ExecOptions): Promise<RunResult>;
  /** How a program inside is started from here, for streams and terminals. */
  command(command: readonly string[], options?: { terminal?: boolean }): { file: string; args: string[]; env?: Record<string, string | undefined> };
  /** Where it answers, once it runs. */
  address(): Promise<string | undefined>;
  /** The directory inside which everything of the machine lies; '' for a whole machine. */
  rootfs(): string;
}
