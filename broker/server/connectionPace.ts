// max.connection.creation.rate: how fast new connections are taken. As in Kafka they are not refused but
// wait for their turn, so that many clients that come back at once do not hold up those who are there.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { BrokerConfig } from '../configuration/brokerOptions.ts'

/** The rate is one of seconds: so much of it may be taken at once. */
const burstMs = 1000
/** Whoever would wait for longer has given up by then. */
const longestWaitMs = 30_000

/** The rate may change while the broker runs. */
export interface PacedBroker {
  readonly config: Pick<BrokerConfig, 'max.connection.creation.rate'>
  readonly clock: Clock
}

export class ConnectionPace {
  readonly #broker: PacedBroker
  /** The turn of the last connection that was taken. */
  #lastTurnMs = -Infinity

  constructor(broker: PacedBroker) {
    this.#broker = broker
  }

  /** How long the next connection waits, in ms; undefined when it would be too long to be of use. */
  nextWaitMs(): number | undefined {
    const { config, clock } = this.#broker
    const nowMs = clock.monotonicMs()
    const betweenMs = 1000 / config['max.connection.creation.rate']
    const turnMs = Math.max(this.#lastTurnMs, nowMs - burstMs) + betweenMs
    if (turnMs - nowMs > longestWaitMs) return undefined
    this.#lastTurnMs = turnMs
    return Math.max(0, turnMs - nowMs)
  }
}
