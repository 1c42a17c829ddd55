/** Captures a work tree once, with the defaults of the config. */
import { createCapturer, type CaptureReport, type CaptureRequest, type Capturer } from '../../src/git/capture.ts';
import type { Repo } from '../../src/git/git.ts';
import { openPrivateIndex, type PrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';

export const captureDefaults: CaptureRequest = {
  scan: 'all',
  overdue: new Set(),
  allowed: new Set(),
  keep: new Set(),
  heldBefore: [],
  rootChanged: false,
  limits: { maxFileSizeBytes: 50_000_000, maxBatchBytes: 1_000_000_000 },
  checkSecrets: true,
  host: 'desk',
  branch: undefined,
  template: undefined,
  sign: false,
  now: new Date('2026-11-20T10:15:00Z'),
};

export interface OpenCapture {
  repo: Repo;
  index: PrivateIndex;
  capturer: Capturer;
  capture(overrides?: Partial<CaptureRequest>): Promise<CaptureReport>;
}

/** Opens a repository for several captures in a row; after each, the indexes stand where the branch does. */
export async function openCapture(root: string, options: { hooks?: boolean } = {}): Promise<OpenCapture> {
  const repo = await openRepo(root, options);
  const index = openPrivateIndex(repo);
  const capturer = createCapturer(repo, index);
  const capture = async (overrides: Partial<CaptureRequest> = {}): Promise<CaptureReport> => {
    const report = await capturer.capture({ ...captureDefaults, ...overrides });
    await index.ready();
    return report;
  };
  return { repo, index, capturer, capture };
}

/** One capture of everything. */
export async function captureOnce(root: string, overrides: Partial<CaptureRequest> = {}, options: { hooks?: boolean } = {}): Promise<CaptureReport> {
  return (await openCapture(root, options)).capture(overrides);
}
