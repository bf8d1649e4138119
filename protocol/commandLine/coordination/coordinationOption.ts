// The option with which an agent or a job registers in the coordination of its cluster.

import type { CommandOption } from '../commandOptions.ts'

export const coordinationOption: CommandOption = {
  flags: '--coordination <file>',
  doc: 'file with coordination.nats.* options: register there, so that others see what lives',
}
