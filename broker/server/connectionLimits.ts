// How many clients may be connected, in all and from one address. A flood of connections costs no
// more than closing them: refusals are counted, and said once in a while.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { BrokerConfig } from '../configuration.ts'
import { BrokerError } from '../errors.ts'

const quietMs = 10_000

/** The limits may change while the broker runs. */
export interface LimitedBroker {
  readonly config: Pick<
    BrokerConfig,
    'max.connections' | 'max.connections.per.ip' | 'max.connections.per.ip.overrides'
  >
  readonly clock: Clock
  readonly logger: Logger
}

export class ConnectionLimits {
  readonly #broker: LimitedBroker
  readonly #overrides: ReadonlyMap<string, number>
  readonly #byHost = new Map<string, number>()
  #count = 0
  #refused = 0
  #lastSaidMs = -Infinity

  /** Fails with a BrokerError when the overrides cannot be read. */
  constructor(broker: LimitedBroker) {
    this.#broker = broker
    this.#overrides = parseOverrides(broker.config['max.connections.per.ip.overrides'])
  }

  /** Counts a client in, unless there are too many; each that was admitted must leave once. */
  admit(remoteAddress: string): boolean {
    const { config } = this.#broker
    const host = hostOf(remoteAddress)
    const fromHost = this.#byHost.get(host) ?? 0
    if (this.#count >= config['max.connections']) {
      return this.#refuse(remoteAddress, 'max.connections')
    }
    if (fromHost >= (this.#overrides.get(host) ?? config['max.connections.per.ip'])) {
      return this.#refuse(remoteAddress, 'max.connections.per.ip')
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

  #refuse(client: string, limit: string): false {
    const { clock, logger } = this.#broker
    this.#refused++
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#lastSaidMs < quietMs) return false
    logger.warn({ client, limit, refused: this.#refused }, 'clients are refused')
    this.#lastSaidMs = nowMs
    this.#refused = 0
    return false
  }
}

function hostOf(remoteAddress: string): string {
  return plainHost(remoteAddress.replace(/:\d+$/, ''))
}

/** Without brackets, and as an IPv4 address where that is what it stands for. */
function plainHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:(?=\d+\.)/, '')
}

/** `host:count,host:count`. */
function parseOverrides(text: string): ReadonlyMap<string, number> {
  const entries = text.split(',').map((entry) => entry.trim())
  return new Map(entries.filter((entry) => entry !== '').map(parseOverride))
}

function parseOverride(entry: string): [host: string, count: number] {
  const match = /^(.+):(\d{1,9})$/.exec(entry)
  if (match) return [plainHost(match[1]!), Number(match[2])]
  throw new BrokerError(
    'CONFIGURATION_INVALID',
    `max.connections.per.ip.overrides: "${entry}" is not an address and a number; write it as 127.0.0.1:200`,
  )
}
