/** git's remote helper protocol (gitremote-helpers(7)) for `gidit::PROJECT` and `gidit::FPR/PROJECT`. Standard output belongs to git. */
import { createInterface } from 'node:readline';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import { formatAddress, parseAddress } from './address.ts';
import { fetchProject } from './helper-fetch.ts';
import { openHelperState, type HelperState } from './helper-state.ts';
import { pushRefs, type PushWish } from './helper-push.ts';
import { openConfiguredStore, ownFingerprint } from './limit-settings.ts';
import { headBranch } from './merge-refs.ts';
import { baseDirectory, readGiditConfig } from './node-settings.ts';

const write = (text: string): Promise<void> => new Promise((resolve) => process.stdout.write(text, () => resolve()));

/** Runs until git is done, and returns the exit code. */
export async function runRemoteHelper(args: readonly string[]): Promise<number> {
  const [remote, url] = args;
  const gitDir = process.env['GIT_DIR'];
  if (remote === undefined || url === undefined) throw new GitsyncError('usage', 'git calls this program by itself, for URLs that begin with gidit::', { hint: 'git clone gidit::FINGERPRINT/PROJECT' });
  const config = await readGiditConfig();
  const ownKey = ownFingerprint(config);
  const address = parseAddress(url, ownKey);
  const state = await openHelperState({ address, gitDir, store: await openConfiguredStore(baseDirectory(undefined, config), config), ownKey });
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (;;) {
    const { value: line, done } = (await lines.next()) as { value: string | undefined; done?: boolean };
    if (done === true || line === undefined || line === '') return 0;
    if (line === 'capabilities') await write('option\nfetch\npush\nobject-format\ncheck-connectivity\n\n');
    else if (line.startsWith('option ')) await write(setOption(state, line.slice('option '.length)));
    else if (line === 'list' || line === 'list for-push') await write(await listRemote(state, line === 'list for-push'));
    else if (line.startsWith('fetch ')) {
      await readBatch(lines);
      const keepFile = await fetchProject(state);
      // Everything that came was checked already, and git trusts that for a clone; it removes the lock when its refs are set.
      await write(keepFile === undefined ? '\n' : `lock ${keepFile}\nconnectivity-ok\n\n`);
    } else if (line.startsWith('push ')) await write(await answerPush(state, [line, ...(await readBatch(lines))]));
    else throw new GitsyncError('bug', `git asked for ${JSON.stringify(line)}, which was not offered.`);
  }
}

async function readBatch(lines: AsyncIterator<string>): Promise<string[]> {
  const batch: string[] = [];
  for (;;) {
    const { value, done } = (await lines.next()) as { value: string | undefined; done?: boolean };
    if (done === true || value === undefined || value === '') return batch;
    batch.push(value);
  }
}

function setOption(state: HelperState, option: string): string {
  const [name, value = 'true'] = option.split(' ');
  if (name === 'verbosity') state.verbosity = Number(value);
  else if (name === 'progress') state.progress = value === 'true';
  else if (name === 'check-connectivity') state.provesConnectivity = value === 'true';
  else if (name === 'dry-run') state.dryRun = value === 'true';
  // Without a value git asks to be told which hash the remote uses.
  else if (name !== 'object-format' && name !== 'atomic') return 'unsupported\n';
  return 'ok\n';
}

/** The refs of the remote, as git wants them. */
async function listRemote(state: HelperState, isForPush: boolean): Promise<string> {
  const object = await state.look(isForPush);
  if (object === undefined) return `:object-format ${await state.objectFormat()}\n\n`;
  const lines = [`:object-format ${object.refs[0]?.id.length === 64 ? 'sha256' : object.refs.length === 0 ? await state.objectFormat() : 'sha1'}`];
  for (const { id, name } of object.refs) if (name !== 'HEAD') lines.push(`${id} ${name}`);
  const head = headBranch(object.refs);
  if (head !== undefined) lines.push(`@${head} HEAD`);
  return `${lines.join('\n')}\n\n`;
}

function parseWish(line: string): PushWish {
  const [, plus, src = '', dst = ''] = /^push (\+?)([^:]*):(.+)$/.exec(line) ?? [];
  return { src, dst, force: plus === '+' };
}

async function answerPush(state: HelperState, lines: readonly string[]): Promise<string> {
  const wishes = lines.map(parseWish);
  try {
    const refused = await pushRefs(state, wishes);
    return `${wishes.map(({ dst }) => (refused.has(dst) ? `error ${dst} ${refused.get(dst) ?? ''}` : `ok ${dst}`)).join('\n')}\n\n`;
  } catch (error) {
    const { message, hint, kind } = toGitsyncError(error);
    if (kind === 'bug') throw error;
    process.stderr.write(`gidit: ${message}\n${hint === undefined ? '' : `hint: ${hint}\n`}`);
    return `${wishes.map(({ dst }) => `error ${dst} ${message.replace(/\s+/g, ' ')}`).join('\n')}\n\n`;
  }
}

/** For messages. */
export function urlOf(state: HelperState): string {
  return `gidit::${formatAddress(state.address)}`;
}
