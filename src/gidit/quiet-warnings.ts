/**
 * Node before 20.20 calls Ed25519 in Web Crypto an experiment, on the standard
 * error of each command that signs or checks. It is what peers are known by;
 * nobody can do anything about the warning. All others are shown.
 */
const { emitWarning } = process;

process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
  if (!/^The Ed25519 Web Crypto API algorithm/.test(String(warning))) emitWarning.call(process, warning, ...rest);
}) as typeof process.emitWarning;
