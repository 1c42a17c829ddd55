// The man pages, as roff: gitsync(1) from the command tree, gitsync(5) from the config schema, the other programs from their --help.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { schema, sections } from '../src/config/schema.ts';
import { readCommandTree } from './command-tree.mjs';

/** Text as roff takes it: hyphens that can be copied, no line taken for a request. */
const roff = (text) => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^([.'])/gm, '\\&$1');
const heading = (name, section, version, text) => [`.TH ${roff(name.toUpperCase())} ${section} "" "gitsync ${version}" "gitsync"`, '.SH NAME', `${roff(name)} \\- ${roff(text)}`];
const item = (term, ...texts) => ['.TP', `\\fB${roff(term)}\\fR`, ...texts.map(roff)];
const seeAlso = (...others) => ['.SH SEE ALSO', others.map((other) => `\\fB${roff(other)}\\fR`).join(', '), '.PP', 'The documentation is in /usr/share/doc/gitsync.'];
const finish = (lines) => `${lines.join('\n')}\n`;

/** The table of docs/exit-codes.md: code, name, meaning. */
function readExitCodes(root) {
  const text = readFileSync(`${root}docs/exit-codes.md`, 'utf8').split('\n## ')[0];
  return [...text.matchAll(/^\| (\d+) \| (\S+) \| (.*?) \|/gm)].map(([, code, , meaning]) => [code, meaning.replaceAll('`', '')]);
}

export function renderGitsync(root, version) {
  const { text, options, commands } = readCommandTree();
  const lines = [
    ...heading('gitsync', 1, version, 'keeps git work directories in step by itself'),
    '.SH SYNOPSIS', '\\fBgitsync\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]', '.br', '\\fBgitsync \\-\\-daemon\\fR', '.br', '\\fBgitsync \\-\\-once\\fR [\\fIpath\\fR...]',
    '.SH DESCRIPTION', roff(text), '.SH OPTIONS', ...options.flatMap(({ flags, text: what }) => item(flags, what)), '.SH COMMANDS',
  ];
  for (const group of new Set(commands.map((command) => command.group))) {
    lines.push(`.SS ${roff(group)}`);
    for (const command of commands.filter((each) => each.group === group)) {
      lines.push(...item(`gitsync ${command.usage}`, `${command.text}.`));
      for (const { flags, text: what } of command.options) lines.push('.RS', ...item(flags, what), '.RE');
    }
  }
  lines.push('.SH EXIT STATUS', ...readExitCodes(root).flatMap(([code, meaning]) => item(code, meaning)));
  lines.push('.SH FILES', ...item('~/.config/gitsync', 'The config file; see gitsync(5).'), ...item('/etc/gitsync.cfg', 'The config file of the machine, where a person has none.'));
  return finish([...lines, ...seeAlso('gitsync(5)', 'gitted-client(1)', 'git(1)', 'systemctl(1)')]);
}

export function renderConfig(version) {
  const lines = [...heading('gitsync', 5, version, 'config file of gitsync'), '.SH DESCRIPTION', roff('An INI file, ~/.config/gitsync or /etc/gitsync.cfg. A comment begins with # or ; at the start of a line or after a space. gitsync config --check finds mistakes.')];
  for (const [name, { argument, doc }] of Object.entries(sections)) {
    lines.push(`.SH "[${roff(argument === undefined ? name : `${name} ${argument}`)}]"`, roff(doc));
    for (const row of schema.filter(({ section }) => section === name)) {
      const fallback = row.default === undefined || row.default === '' ? '' : ` Default: ${row.default}.`;
      lines.push(...item(`${row.key} = ${row.example ?? row.default ?? ''}`, `${row.doc}${fallback}`));
    }
  }
  return finish([...lines, ...seeAlso('gitsync(1)')]);
}

/** A program that explains itself: its first line is what it is, the rest goes in as it is. */
export function renderFromHelp(root, program, version) {
  const help = execFileSync(process.execPath, [`${root}dist/${program}.js`, '--help'], { encoding: 'utf8' }).trimEnd();
  const [first = '', ...rest] = help.split('\n');
  const what = first.replace(new RegExp(`^(usage: )?(${program}|${program.replace('-', ' ')}):? *`, 'i'), '').replace(/^\[options\] */, '').replace(/\.$/, '') || 'part of gitsync';
  return finish([...heading(program, 1, version, what), '.SH DESCRIPTION', '.nf', roff(rest.join('\n').replace(/^\n+/, '')), '.fi', ...seeAlso('gitsync(1)', 'git(1)')]);
}

/** A program that nobody types. */
export function renderRemoteHelper(program, version) {
  const scheme = program.replace('git-remote-', '');
  const text = `git starts this program by itself, for remotes whose URL begins with ${scheme}::. See gitremote-helpers(7) for what they say to each other.`;
  return finish([...heading(program, 1, version, `remote helper of git for ${scheme}:: URLs`), '.SH DESCRIPTION', roff(text), ...seeAlso('gitsync(1)', 'gitremote-helpers(7)')]);
}
