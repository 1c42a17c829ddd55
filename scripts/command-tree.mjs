// The command line as plain values, read from the program itself, so that man page and completion cannot go stale.
// Needs tsx: node --import tsx
import { buildProgram } from '../src/commands/program.ts';

const describeOption = ({ flags, short, long, description, argChoices }) => ({
  flags, short, long, text: description, values: argChoices ?? [], takesValue: /[<[]/.test(flags), isFile: /<file>/.test(flags),
});

function describeCommand(command) {
  const usage = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return {
    name: command.name(),
    group: command.helpGroup()?.replace(/:$/, ''),
    text: command.description(),
    usage: [command.name(), ...usage].join(' '),
    arguments: command.registeredArguments.map((argument) => ({ name: argument.name(), values: argument.argChoices ?? [], isPath: /path/.test(argument.name()) })),
    options: command.options.filter(({ hidden }) => !hidden).map(describeOption),
  };
}

/** The program's options and commands, without what the help hides. */
export function readCommandTree() {
  const program = buildProgram(() => undefined);
  return {
    name: program.name(),
    text: program.description(),
    options: [...program.options.map(describeOption), { flags: '-h, --help', short: '-h', long: '--help', text: 'this text, or that of a command', values: [], takesValue: false }],
    commands: program.createHelp().visibleCommands(program).map(describeCommand),
  };
}
