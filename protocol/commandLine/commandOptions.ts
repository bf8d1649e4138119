// Options of a command line as one table: flags, a line of documentation, and how the value is read. The
// parser (commander) and its help come from the table; programs that must know the names of their
// options take them from it, too.

import { type Command, Option } from 'commander'

export interface CommandOption {
  /** As commander writes them: `-n, --name <name>`. */
  readonly flags: string
  readonly doc: string
  /** Reads the value, after the one that the option had before. Throws InvalidArgumentError. */
  readonly parse?: (text: string, before: never) => unknown
  readonly choices?: readonly string[]
  readonly default?: unknown
  readonly required?: true
}

/** Adds the options to the command, in the order of the table. */
export function addOptions(command: Command, options: readonly CommandOption[]): Command {
  for (const option of options) command.addOption(optionOf(option))
  return command
}

/** Returns the long names, without dashes: `conf-file`, `no-reload-conf`. */
export function longNames(options: readonly CommandOption[]): string[] {
  return options.map((option) => optionOf(option).long!.slice(2))
}

function optionOf({ flags, doc, parse, choices, ...rest }: CommandOption): Option {
  const option = new Option(flags, doc)
  if (choices !== undefined) option.choices(choices)
  if (parse !== undefined) option.argParser(parse as (text: string, before: unknown) => unknown)
  if (rest.default !== undefined) option.default(rest.default)
  option.makeOptionMandatory(rest.required === true)
  return option
}
