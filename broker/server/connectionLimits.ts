// How many clients may be connected, in all and from one address. A flood of connections costs no
// more than closing them: refusals are counted, and said once in a while.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { BrokerConfig } from '../configuration.ts'
import {
  connectionOverridesBounds,
  ipAddress,
  parseConnectionOverrides,
} from '../connectionOverrides.ts'
import { BrokerError } from '../errors.ts'

const quietMs = 10_000
const overridesOption = 'max.connections.per.ip.overrides'

/** The limits may change while the broker runs. */
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
  /** The text that `#overrides` was read from. */
  #overridesText: string | undefined
  #overrides: ReadonlyMap<string, number> = new Map()
  readonly #byHost = new Map<string, number>()
  #count = 0
  #refused = 0
  #lastSaidMs = -Infinity
  /** Clients not served, by the option whose limit was reached. */
  readonly refusals = new Map<string, number>()

  /** Fails with a BrokerError when the overrides cannot be read. */
  constructor(broker: LimitedBroker) {
    this.#broker = broker
    this.#readOverrides()
  }

  /** Counts a client in, unless there are too many; each that was admitted must leave once. */
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
    this.#count++
    this.#byHost.set(host, fromHost + 1)
    return true
  }

  left(remoteAddress: string): void {
    const host = hostOf(remoteAddress)
    this.#count--
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

  /** Notes that a client was not served because of `limit`. */
  refuse(client: string, limit: string): false {
    const { clock, logger } = this.#broker
    this.#refused++
    this.refusals.set(limit, (this.refusals.get(limit) ?? 0) + 1)
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#lastSaidMs < quietMs) return false
    logger.warn({ client, limit, refused: this.#refused }, 'clients are refused')
    this.#lastSaidMs = nowMs
    this.#refused = 0
    return false
  }
}

/** The address without the port, in the spelling of the overrides; of another network, its own. */
function hostOf(remoteAddress: string): string {
  const host = remoteAddress.replace(/:\d+$/, '')
  return ipAddress(host) ?? host
}
