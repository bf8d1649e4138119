// Limits the rate of new connections (max.connection.creation.rate). As in Kafka, connections above
// the rate are delayed and not refused, so that many reconnecting clients do not slow down
// connected clients.

import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { BrokerConfig } from '../../configuration/brokerOptions.ts'

/** Connections of this many ms, at the rate, may come in one burst. */
const burstMs = 1000
/** A client that would have to wait longer is refused: it has timed out by then. In ms. */
const longestWaitMs = 30_000

/** The parts of the broker that the pace needs. The rate may change while the broker runs. */
export interface PacedBroker {
  readonly config: Pick<BrokerConfig, 'max.connection.creation.rate'>
  readonly clock: Clock
}

export class ConnectionPace {
  readonly #broker: PacedBroker
  /** When the last accepted connection is first read, in monotonic ms. */
  #lastTurnMs = -Infinity

  constructor(broker: PacedBroker) {
    this.#broker = broker
  }

  /** Returns how long the next connection waits, in ms; undefined when it is refused. */
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
