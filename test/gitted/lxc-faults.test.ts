/** A real container that dies at each step of a push: afterwards refs and data are both old or both new, and the next push works. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, runProgram, type Said, type TestMachine } from '../helpers/gitted-machine.ts';
import { addProbe, pushInBackground } from '../helpers/probe.ts';
import { describeWith } from '../helpers/requires.ts';

const longMs = 900_000;
const deadlineMs = 120_000;

describeWith(['root', 'lxc', 'mmdebstrap'], 'a container that dies', () => {
  const name = `gitsync-test-faults-${process.pid}`;
  let box: TestMachine;
  let round = 0;
  const inside = (script: string): Said => runProgram('/', 'lxc-attach', ['-n', name, '--clear-env', '-v', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', '--', 'sh', '-c', script]);
  const ref = (of: string): string => inside(`gitted git rev-parse -q --verify ${of}`).stdout.trim();
  const values = (): string => inside('cat /live/one /live/two').stdout;

  /** Makes the push that is about to be hurt, and lets it come as far as `verb` of the last binding. */
  async function pushUntil(verb: string): Promise<ReturnType<typeof pushInBackground>> {
    round += 1;
    box.commit({ 'one/value': `one ${round}\n`, 'two/value': `two ${round}\n` });
    inside(`rm -f /verbs /at.*; echo /live/two >/at.${verb}.pause`);
    const push = pushInBackground(box);
    await converge(`${verb} is reached`, () => inside('tail -n 1 /verbs').stdout === `${verb} /live/two\n`, deadlineMs);
    return push;
  }

  /** The next contact makes it whole. */
  function expectOnePiece(which: 'old' | 'new', before: string): void {
    inside('rm -f /at.*');
    box.must('fetch', '-q', name);
    const told = which === 'new' ? round : round - 1;
    expect(values()).toBe(`one ${told}\ntwo ${told}\n`);
    expect(ref('refs/heads/master')).toBe(which === 'new' ? box.head() : before);
    for (const each of ['one', 'two']) expect(ref(`refs/gitted/state/master/${each}`)).toBe(ref(`refs/heads/master:${each}`));
    expect(inside('ls /var/lib/gitted/journal').status).not.toBe(0);
    box.must('push', '-q', name, 'master');
    expect(values()).toBe(`one ${round}\ntwo ${round}\n`);
    expect(ref('refs/heads/master')).toBe(box.head());
  }

  beforeAll(() => {
    box = makeMachine({ engines: [], driver: [], name, files: { 'one/value': 'one 0\n', 'two/value': 'two 0\n' } });
    addProbe(box);
    box.must('push', '-q', name, 'master');
    expect(values()).toBe('one 0\ntwo 0\n');
  }, longMs);
  afterAll(() => void runProgram('/', 'lxc-destroy', ['-f', '-n', name]));

  test.each([['stage', 'old'], ['verify', 'old'], ['recheck', 'old'], ['commit', 'new']] as const)('the container is killed during %s: all is %s', async (verb, which) => {
    const before = box.head();
    const push = await pushUntil(verb);
    expect(runProgram('/', 'lxc-stop', ['-k', '-n', name])).toMatchObject({ status: 0 });
    expect((await push.ended).status).not.toBe(0);
    expect(box.client('start', name)).toMatchObject({ status: 0 });
    expectOnePiece(which, before);
  }, longMs);

  test.each([['verify', 'old'], ['commit', 'new']] as const)('every process of the push inside is killed during %s: all is %s', async (verb, which) => {
    const before = box.head();
    const push = await pushUntil(verb);
    inside(`pkill -KILL -f '[g]it-remote-command|[r]eceive-pack|[p]re-receive|[h]andlers/probe'`);
    expect((await push.ended).status).not.toBe(0);
    expectOnePiece(which, before);
  }, longMs);

  test.each([['verify', 'old'], ['commit', 'new']] as const)('the client outside is killed during %s: all is %s', async (verb, which) => {
    const before = box.head();
    const push = await pushUntil(verb);
    process.kill(push.client(), 'SIGKILL');
    // Before the commit point it gives up by itself; after it, it goes on to the end, and git waits for that.
    if (which === 'new') inside('rm -f /at.*');
    await push.ended;
    await converge('the push inside has ended', () => !/"lock"/.test(box.client('status', name, '--json').stdout), deadlineMs);
    expectOnePiece(which, before);
  }, longMs);
});
