// Completion for bash, zsh and fish, from the command tree.
import { readCommandTree } from './command-tree.mjs';

const { name, options, commands } = readCommandTree();
const longs = (list) => list.flatMap(({ short, long }) => [short, long].filter(Boolean));
/** The options that all commands take. */
const shared = options.filter(({ long }) => ['--config', '--verbose', '--debug', '--json', '--help'].includes(long));
const single = (text) => text.replaceAll("'", "'\\''");

export function renderBash() {
  const words = (list) => list.join(' ');
  const cases = commands.map(({ name: command, arguments: args, options: own }) => {
    const values = own.filter((option) => option.values.length > 0).map(({ long, values: list }) => `            ${long}) COMPREPLY=($(compgen -W '${words(list)}' -- "$current")); return ;;`);
    const plain = own.filter((option) => option.takesValue && option.values.length === 0).map(({ long }) => `            ${long}) return ;;`);
    const choices = args.flatMap(({ values: list }) => list);
    const rest = choices.length > 0 ? `COMPREPLY=($(compgen -W '${words(choices)}' -- "$current"))` : args.some(({ isPath }) => isPath) ? 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current"))' : ':';
    const previous = values.length + plain.length === 0 ? '' : `        case $previous in\n${[...values, ...plain].join('\n')}\n        esac\n`;
    return `    ${command})\n${previous}        if [[ $current == -* ]]; then COMPREPLY=($(compgen -W '${words(longs([...own, ...shared]))}' -- "$current"))\n        else ${rest}; fi ;;`;
  });
  return `# Completion of ${name} for bash; made from its command line.
_${name}() {
    local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local IFS=$' \\t\\n'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case \${COMP_WORDS[i]} in
            --config) ((i++)) ;;
            -*) ;;
            *) command=\${COMP_WORDS[i]}; break ;;
        esac
    done
    if [[ $previous == --config ]]; then compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); return; fi
    case $command in
    '') COMPREPLY=($(compgen -W '${words([...commands.map(({ name: command }) => command), ...longs(options)])}' -- "$current")) ;;
${cases.join('\n')}
    esac
}
complete -F _${name} ${name}
`;
}

export function renderZsh() {
  const escape = (text) => single(text).replace(/[[\]:]/g, '\\$&');
  const spec = ({ short, long, text, takesValue, isFile, values }) => {
    const value = !takesValue ? '' : values.length > 0 ? `:value:(${values.join(' ')})` : isFile ? ':file:_files' : ':value: ';
    const forms = short === undefined ? [long] : [short, long];
    return forms.map((form) => `'${form}[${escape(text)}]${value}'`).join(' ');
  };
  const cases = commands.map(({ name: command, arguments: args, options: own }) => {
    const choices = args.flatMap(({ values }) => values);
    const rest = choices.length > 0 ? `'*:what:(${choices.join(' ')})'` : args.some(({ isPath }) => isPath) ? "'*:path:_files'" : '';
    return `        ${command}) _arguments ${[...own, ...shared].map(spec).join(' ')} ${rest} ;;`;
  });
  return `#compdef ${name}
# Completion of ${name} for zsh; made from its command line.
_${name}() {
    local state
    local -a commands
    commands=(
${commands.map(({ name: command, text }) => `        '${command}:${escape(text)}'`).join('\n')}
    )
    _arguments -C ${options.map(spec).join(' ')} '1:command:->command' '*::words:->words'
    case $state in
    command) _describe command commands ;;
    words)
        case $words[1] in
${cases.join('\n')}
        *) _files ;;
        esac ;;
    esac
}
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

export function renderFish() {
  const quote = (text) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const flags = ({ short, long, takesValue, values, isFile, text }) =>
    [short && `-s ${short.slice(1)}`, `-l ${long.slice(2)}`, takesValue && (isFile ? '-r -F' : '-x'), values.length > 0 && `-a ${quote(values.join(' '))}`, `-d ${quote(text)}`].filter(Boolean).join(' ');
  const lines = [`# Completion of ${name} for fish; made from its command line.`, `complete -c ${name} -f`];
  const names = commands.map((command) => command.name).join(' ');
  for (const option of options.filter((each) => !shared.includes(each))) lines.push(`complete -c ${name} -n 'not __fish_seen_subcommand_from ${names}' ${flags(option)}`);
  for (const option of shared) lines.push(`complete -c ${name} ${flags(option)}`);
  for (const command of commands) {
    const seen = `-n '__fish_seen_subcommand_from ${command.name}'`;
    lines.push(`complete -c ${name} -n 'not __fish_seen_subcommand_from ${names}' -a ${command.name} -d ${quote(command.text)}`);
    for (const option of command.options) lines.push(`complete -c ${name} ${seen} ${flags(option)}`);
    const choices = command.arguments.flatMap(({ values }) => values);
    if (choices.length > 0) lines.push(`complete -c ${name} ${seen} -a ${quote(choices.join(' '))}`);
    else if (command.arguments.some(({ isPath }) => isPath)) lines.push(`complete -c ${name} ${seen} -F`);
  }
  return `${lines.join('\n')}\n`;
}
