// An editor in a thread of its own. It goes through the files together with the
// update (both count in shared memory) and saves each one once, at a moment
// just before, while or after it is replaced.
import { closeSync, ftruncateSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { kind, files, counters, seed } = workerData;
const [updated, prepared] = [0, 1];
const counts = new Int32Array(counters);
let state = seed;
/** mulberry32: the same moments for the same seed. */
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const spin = (microseconds) => {
  const until = performance.now() + microseconds / 1000;
  while (performance.now() < until);
};

function saveByRename(file, content) {
  writeFileSync(`${file}.tmp`, content);
  return () => renameSync(`${file}.tmp`, file);
}

/** Writes into what it has opened, wherever that has gone since; half of the editors open only when they save. */
function saveInPlace(file, content) {
  let descriptor = random() < 0.5 ? openSync(file, 'a') : undefined;
  return () => {
    descriptor ??= openSync(file, 'a');
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, content);
    closeSync(descriptor);
  };
}

parentPort.postMessage('ready');
const late = [];
for (const [i, { file, content }] of files.entries()) {
  const save = (kind === 'atomic save' ? saveByRename : saveInPlace)(file, content);
  Atomics.store(counts, prepared, i + 1);
  while (Atomics.load(counts, updated) < i);
  spin(random() * 100);
  if (kind === 'in place' && random() < 0.05) late.push(save);
  else save();
}
// Some editors take their time: they write after the update is over.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
for (const save of late) save();
parentPort.postMessage('done');
