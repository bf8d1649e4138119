// Command-line options as a table: flags, one line of documentation, and a parser of the value. The
// parser (commander), its help and the lists of option names are derived from the table.

import { type Command, Option } from 'commander'

export interface CommandOption {
  /** In commander's notation: `-n, --name <name>`. */
  readonly flags: string
  readonly doc: string
  /**
   * Parses a value; `before` is the value so far of a repeated option. Throws InvalidArgumentError.
   */
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

/** Returns the long names without dashes: `conf-file`, `no-reload-conf`. */
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
