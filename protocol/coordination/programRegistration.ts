// Registers an agent or a job in the coordination of its cluster, in the background: the program
// starts and works whether NATS can be reached or not.

import { parseProperties } from '../configuration/properties.ts'
import { CodedError } from '../runtime/codedError.ts'
import type { Disk } from '../runtime/disk/disk.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Logger } from '../telemetry/logging/logger.ts'
import type { Coordination } from './coordination.ts'
import { CoordinationError } from './coordinationError.ts'
import { openNatsCoordination } from './natsCoordination.ts'
import { type NatsPlan, natsOptionTexts, planNats } from './natsOptions.ts'
import { Registration } from './recipes/registration.ts'

export interface ProgramRegistrationOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'scheduler'>
  readonly logger: Logger
  readonly plan: NatsPlan
  /** Node of the group: one of `registrationGroups`. */
  readonly group: string
  readonly name: string
  readonly about: object
}

/**
 * Reads a properties file with options of coordination; other options are left out, so it may be
 * the configuration file of a broker. Throws COORDINATION_REFUSED.
 */
export async function readNatsPlan(disk: Disk, file: string): Promise<NatsPlan> {
  const read = async (path: string) => {
    const content = await disk.readFile(path)
    if (content === undefined) throw new Error('the file does not exist')
    return content.toString()
  }
  const text = await read(file).catch((error: unknown) => {
    const reason = (error as Error).message
    throw new CoordinationError('COORDINATION_REFUSED', `cannot read ${file} (${reason})`, error)
  })
  const texts = new Map([...parseProperties(text)].map(({ key, value }) => [key, value]))
  const plan = await planNats(natsOptionTexts(texts), read)
  if (plan !== undefined) return plan
  throw new CoordinationError(
    'COORDINATION_REFUSED',
    `${file} does not set coordination.nats.servers: set host:port of the NATS servers`,
  )
}

export class ProgramRegistration {
  readonly #ending = new AbortController()
  readonly #opened: Promise<void>
  #coordination: Coordination | undefined
  #registration: Registration | undefined

  constructor(options: ProgramRegistrationOptions) {
    this.#opened = this.#open(options)
  }

  async close(): Promise<void> {
    this.#ending.abort()
    await this.#opened
    await this.#registration?.close()
    await this.#coordination?.close()
  }

  async #open(options: ProgramRegistrationOptions): Promise<void> {
    const { runtime, logger, plan, group, name, about } = options
    const { signal } = this.#ending
    const member = `${group}/${name}`
    try {
      const coordination = await openNatsCoordination({
        ...{ runtime, logger, plan, signal, name: member },
      })
      this.#coordination = coordination
      const { clock } = runtime
      if (signal.aborted) return
      this.#registration = new Registration({ coordination, clock, logger, group, name, about })
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      if (!signal.aborted) logger.error({ error }, 'not registered in coordination')
    }
  }
}
