// The anomalies that a history of a log can have, and the list in which a check collects them.
//
// Contract: the names of Jepsen's kafka workload mean what they mean there; README.md says of each
// when Kafka's own rules allow it. An anomaly that is allowed is reported as well, marked so.

import type { HistoryEntry } from './history.ts'

export type AnomalyName =
  // Jepsen's
  | 'inconsistent-offsets'
  | 'duplicate'
  | 'lost-write'
  | 'unseen'
  | 'G1a'
  | 'precommitted-read'
  | 'poll-skip'
  | 'nonmonotonic-poll'
  | 'int-poll-skip'
  | 'int-nonmonotonic-poll'
  | 'nonmonotonic-send'
  | 'int-nonmonotonic-send'
  | 'int-send-skip'
  | CycleName
  // beyond Jepsen's
  | 'phantom'
  | 'partial-transaction'
  | 'nonmonotonic-high-watermark'
  | 'nonmonotonic-last-stable-offset'
  | 'nonmonotonic-log-start-offset'
  | 'watermark-order'
  | 'nonmonotonic-committed-offset'
  | 'phantom-committed-offset'
  | 'stale-generation-commit'
  | 'two-owners'
  | 'unanswered'

export type CycleName = `${'G0' | 'G1c'}${'' | '-process' | '-realtime'}`

export interface Anomaly {
  readonly name: AnomalyName
  /** Whether Kafka's own rules allow it, with the clients that the options describe. */
  readonly isAllowed: boolean
  /** The operations involved: the completion of each, or its invocation if it has none. */
  readonly evidence: readonly HistoryEntry[]
  readonly message: string
}

export interface CheckOptions {
  /** `at-least-once`: sends outside of transactions are retried without a sequence number. */
  readonly delivery: 'idempotent' | 'at-least-once'
  readonly isolation: 'read_committed' | 'read_uncommitted'
  /**
   * `anywhere`: consumers may have started behind the first record, so that what lies below the
   * lowest offset that was polled is not expected. Default: `beginning`.
   */
  readonly readsFrom?: 'beginning' | 'anywhere'
  /** Whether offsets order writes in the search for cycles. Default: true. */
  readonly infersWriteOrder?: boolean
}

/** Anomalies of one name that are kept, allowed ones and others apart; the rest is counted. */
const mostPerName = 32

export class AnomalyList {
  readonly #anomalies: Anomaly[] = []
  readonly #counts = new Map<string, number>()

  /** `message` is called only for anomalies that are kept. */
  add(
    name: AnomalyName,
    isAllowed: boolean,
    evidence: readonly HistoryEntry[],
    message: () => string,
  ): void {
    const key = isAllowed ? `${name} (allowed)` : name
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    if (count <= mostPerName)
      this.#anomalies.push({ name, isAllowed, evidence, message: message() })
  }

  get anomalies(): readonly Anomaly[] {
    return this.#anomalies
  }

  /** Anomalies found by name, `(allowed)` behind the name of those that are. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }
}
