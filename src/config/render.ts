/** The schema as people read it: an example file, help for a terminal, a page of the documentation. */
import { headerOf } from './read-section.ts';
import { schema, sections, type Row, type SectionName } from './schema.ts';

const sectionNames = Object.keys(sections) as SectionName[];
const rowsIn = (section: SectionName): Row[] => schema.filter((row) => row.section === section);

/** Breaks text into lines of at most `width` characters, each behind a prefix. */
function wrap(text: string, prefix: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && prefix.length + line.length + 1 + word.length > width) {
      lines.push(prefix + line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, prefix + line];
}

const exampleValue = (row: Row): string => row.example ?? row.default ?? '';

/** config.example.ini: every key with its default, commented out but for the directories. */
export function renderExample(): string {
  const lines = [
    '# gitsync: copy this to ~/.config/gitsync (or to /etc/gitsync.cfg for the whole machine),',
    '# name your directories, and see: gitsync config --check',
    '#',
    '# A comment begins with # or ; at the start of a line or after a space.',
    '# Keys that are commented out show their default, or an example where they have none.',
  ];
  for (const section of sectionNames) {
    const header = headerOf(section).replace('PATH', '~/Articles').replace('NAME', 'wiki');
    lines.push('', ...wrap(sections[section].doc, '# ', 90), section === 'gitsync' ? `[${header}]` : `#[${header}]`);
    for (const row of rowsIn(section)) {
      const setting = `${row.key} = ${exampleValue(row)}`;
      lines.push('', ...wrap(describe(row), '# ', 90), row.default === '' && section === 'gitsync' ? setting : `#${setting}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** What a key does, and its default where the example shows something else. */
function describe(row: Row): string {
  if (row.default === '') return row.doc;
  if (row.default === undefined) return `${row.doc} Not set by default.`;
  return row.example === undefined ? row.doc : `${row.doc} Default: ${row.default}.`;
}

/** The text of `gitsync config --help` below its usage line. */
export function renderHelp(): string {
  const lines = ['The config file is ~/.config/gitsync, else /etc/gitsync.cfg, or the one named with --config.'];
  for (const section of sectionNames) {
    lines.push('', `[${headerOf(section)}]`, ...wrap(sections[section].doc, '  ', 90));
    for (const row of rowsIn(section)) {
      const fallback = row.default === undefined || row.default === '' ? '' : ` (default ${row.default})`;
      lines.push('', `  ${row.key} = ${row.type.placeholder}${fallback}`, ...wrap(row.doc, '      ', 90));
      if (row.example !== undefined) lines.push(`      Example: ${row.key} = ${row.example}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The tables of docs/config.md. */
export function renderTables(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const code = (text: string | undefined): string => (text === undefined || text === '' ? '' : `\`${cell(text)}\``);
  const tables = sectionNames.map((section) => {
    const rows = rowsIn(section).map((row) => `| \`${row.key}\` | ${code(row.type.placeholder)} | ${code(row.default)} | ${code(row.example)} | ${cell(row.doc)} |`);
    return [`## \`[${headerOf(section)}]\``, '', sections[section].doc, '', '| key | value | default | example | what it does |', '|---|---|---|---|---|', ...rows].join('\n');
  });
  return `${tables.join('\n\n')}\n`;
}
