// Keeps a process registered in a group for as long as it lives: joins with a session, and again
// with a new one whenever a session has ended although the process still runs. Others see in the
// group who lives, without asking each.
//
// Best effort and in the background: a program does its work whether it is registered or not.

import { CodedError } from '../../runtime/codedError.ts'
import { type Clock, sleep } from '../../runtime/time/clock.ts'
import type { Logger } from '../../telemetry/logging/logger.ts'
import type { Coordination, Session } from '../coordination.ts'
import { GroupMembership } from './groupMembership.ts'

export interface RegistrationOptions {
  readonly coordination: Coordination
  readonly clock: Clock
  readonly logger: Logger
  /** Node of the group: one of `registrationGroups`. */
  readonly group: string
  /** Unique in the group. */
  readonly name: string
  /** What others read about the process; plain data for JSON. */
  readonly about: object
  /** Time after which a process that is not heard is gone, in ms. */
  readonly sessionTimeoutMs?: number
}

/** Where the programs of a cluster register. */
export const registrationGroups = { brokers: '/brokers', agents: '/agents', jobs: '/jobs' } as const

const defaultTimeoutMs = 9000
const retryMs = 1000

export class Registration {
  readonly #options: RegistrationOptions
  readonly #stopped = new AbortController()
  readonly #closing = Promise.withResolvers<void>()
  #session: Session | undefined
  #isRegistered = false

  constructor(options: RegistrationOptions) {
    this.#options = options
    // Ends with the member at the latest.
    void this.#keep()
  }

  get isRegistered(): boolean {
    return this.#isRegistered && this.#session?.isCertain === true
  }

  /** Leaves the group at once, if coordination can be reached; otherwise the session expires. */
  async close(): Promise<void> {
    this.#stopped.abort()
    this.#closing.resolve()
    if (this.#options.coordination.status !== 'connected') return
    await this.#session?.close().catch(ignoreRefusal)
  }

  async #keep(): Promise<void> {
    const { clock, logger, group, name } = this.#options
    const { signal } = this.#stopped
    while (!signal.aborted) {
      try {
        const session = await this.#register()
        logger.debug({ group, name, session: session.id }, 'registered in coordination')
        // A session does not end while the log is damaged or out of reach.
        await Promise.race([session.ended, this.#closing.promise])
      } catch (error) {
        if (!(error instanceof CodedError)) throw error
        if (error.code === 'COORDINATION_CLOSED') return
        logger.debug({ error, group, name }, 'failed to register in coordination; retrying')
      }
      this.#isRegistered = false
      await sleep(clock, retryMs, signal)
    }
  }

  async #register(): Promise<Session> {
    const { coordination, clock, group, name, about } = this.#options
    const { sessionTimeoutMs: timeoutMs = defaultTimeoutMs } = this.#options
    const session = await coordination.openSession({ timeoutMs, name: `${group}/${name}` })
    this.#session = session
    try {
      if (this.#stopped.signal.aborted) {
        await session.close()
        return session
      }
      const data = Buffer.from(JSON.stringify(about))
      await GroupMembership.join({ coordination, clock, session, group, name }, data)
      this.#isRegistered = true
      return session
    } catch (error) {
      await session.close().catch(ignoreRefusal)
      throw error
    }
  }
}

/** A session that cannot be closed expires. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof CodedError)) throw error
}
