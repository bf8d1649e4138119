// Limits the number of connections, in total and per IP address. A flood of connections must cost
// no more than closing them: refusals are counted, and logged when they begin and when they end.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { BrokerConfig } from '../../configuration/brokerOptions.ts'
import {
  connectionOverridesBounds,
  ipAddress,
  parseConnectionOverrides,
} from '../../configuration/connectionOverrides.ts'
import { BrokerError } from '../../errors.ts'

/** Refusals with shorter pauses between them are logged as one condition, in ms. */
const settleMs = 60_000
const overridesOption = 'max.connections.per.ip.overrides'

/** The parts of the broker that the limits need. The limits may change while the broker runs. */
export interface LimitedBroker {
  readonly config: Pick<
    BrokerConfig,
    'max.connections' | 'max.connections.per.ip' | typeof overridesOption
  >
  readonly clock: Clock
  readonly logger: Logger
}

export class ConnectionLimits {
  readonly #broker: LimitedBroker
  /** The option text that `#overrides` was parsed from. */
  #overridesText: string | undefined
  #overrides: ReadonlyMap<string, number> = new Map()
  readonly #byHost = new Map<string, number>()
  #count = 0
  /** Number of refused connections, by the option whose limit was reached. */
  readonly refusals = new Map<string, number>()
  readonly #refuses: LastingCondition

  /** Throws a BrokerError for malformed overrides. */
  constructor(broker: LimitedBroker) {
    this.#broker = broker
    const { clock, logger } = broker
    const over = 'connections are no longer refused'
    this.#refuses = new LastingCondition({ clock, logger, settleMs, over })
    this.#readOverrides()
  }

  /**
   * Admits a connection, unless a limit is reached. The caller must call `left` once for each
   * admitted connection.
   */
  admit(remoteAddress: string): boolean {
    const { config } = this.#broker
    const host = hostOf(remoteAddress)
    const fromHost = this.#byHost.get(host) ?? 0
    if (this.#count >= config['max.connections']) {
      return this.refuse(remoteAddress, 'max.connections')
    }
    const ofHost = this.#readOverrides().get(host)
    if (fromHost >= (ofHost ?? config['max.connections.per.ip'])) {
      const limit = ofHost === undefined ? 'max.connections.per.ip' : overridesOption
      return this.refuse(remoteAddress, limit)
    }
    this.#refuses.over()
    this.#count++
    this.#byHost.set(host, fromHost + 1)
    return true
  }

  left(remoteAddress: string): void {
    const host = hostOf(remoteAddress)
    this.#count--
    assert(this.#count >= 0, 'every connection that leaves was admitted')
    const remaining = this.#byHost.get(host)! - 1
    if (remaining === 0) this.#byHost.delete(host)
    else this.#byHost.set(host, remaining)
  }

  #readOverrides(): ReadonlyMap<string, number> {
    const text = this.#broker.config[overridesOption]
    if (text === this.#overridesText) return this.#overrides
    const overrides = parseConnectionOverrides(text)
    if (overrides === undefined) {
      throw new BrokerError(
        'CONFIGURATION_INVALID',
        `${overridesOption} is "${text}", but must be ${connectionOverridesBounds}`,
      )
    }
    this.#overridesText = text
    this.#overrides = overrides
    return overrides
  }

  /** Records that a connection was refused because of `limit`. */
  refuse(client: string, limit: string): false {
    this.refusals.set(limit, (this.refusals.get(limit) ?? 0) + 1)
    this.#refuses.met({ client, limit }, 'refusing connections: limit reached', limit)
    return false
  }
}

/**
 * Returns the IP address without the port, in canonical spelling; an address of another network as
 * it is.
 */
function hostOf(remoteAddress: string): string {
  const host = remoteAddress.replace(/:\d+$/, '')
  return ipAddress(host) ?? host
}
