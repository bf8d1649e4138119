// The subcommands and options of `millrace coordination`. The code of a command is loaded only when
// the command is given.

import type { Command } from 'commander'
import { addOptions, type CommandOption } from '../commandOptions.ts'

const configOption: CommandOption = {
  flags: '--config <file>',
  doc: 'file with the coordination.nats.* options, such as the configuration of a broker',
}
const directoryOption: CommandOption = {
  flags: '--directory <directory>',
  doc: 'the copy of a stopped process instead: __coordination_copy or __coordination in its data directory',
}
const jsonOption: CommandOption = { flags: '--json', doc: 'print JSON' }

export function addCoordinationCommands(program: Command): void {
  const coordination = program
    .command('coordination')
    .description('look into the coordination of a cluster, and repair its log')
  addOptions(coordination.command('status'), [configOption, directoryOption, jsonOption])
    .description('print the state of the log, its sessions, and the programs that live')
    .action(async (options) => (await loaded()).statusCommand(options))
  addOptions(coordination.command('ls'), [configOption, directoryOption, jsonOption])
    .description('list the nodes below a path')
    .argument('[path]', 'path of a node', '/')
    .option('--recursive', 'list everything below')
    .action(async (path, options) => (await loaded()).listCommand({ ...options, path }))
  addOptions(coordination.command('get'), [configOption, directoryOption, jsonOption])
    .description('print the data of a node')
    .argument('<path>', 'path of a node')
    .action(async (path, options) => (await loaded()).getCommand({ ...options, path }))
  addOptions(coordination.command('watch'), [{ ...configOption, required: true }])
    .description('print every change below a path, until it is interrupted')
    .argument('[path]', 'path of a node', '/')
    .action(async (path, options) => (await loaded()).watchCommand({ ...options, path }))
  addOptions(coordination.command('repair'), [
    { ...configOption, required: true },
    {
      flags: '--from <directory>',
      doc: 'the copy of a stopped process, which the repaired log continues',
      required: true,
    },
    { flags: '--yes', doc: 'repair; without it, only print what would be done' },
  ])
    .description('replace a damaged log by what one process has kept of it')
    .action(async (options) => (await loaded()).repairCommand(options))
}

function loaded(): Promise<typeof import('./coordinationCommand.ts')> {
  return import('./coordinationCommand.ts')
}
