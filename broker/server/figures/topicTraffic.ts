// Counters of the traffic of each topic since the broker started. Totals only: rates are
// differences of two readings, at the reader's own interval.

export interface TopicTraffic {
  bytesIn: number
  bytesOut: number
  messagesIn: number
  messagesOut: number
  /** Number of requested appends, including failed and duplicate ones. */
  appends: number
  failedAppends: number
  failedBytes: number
  duplicateAppends: number
  failedReads: number
}

function noTraffic(): TopicTraffic {
  return {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    appends: 0,
    failedAppends: 0,
    failedBytes: 0,
    duplicateAppends: 0,
    failedReads: 0,
  }
}

export class TrafficByTopic {
  readonly #byTopic = new Map<string, TopicTraffic>()

  /**
   * Returns the counters of a topic, which are created lazily. A caller may keep and increment
   * them.
   */
  of(topic: string): TopicTraffic {
    let traffic = this.#byTopic.get(topic)
    if (!traffic) {
      traffic = noTraffic()
      this.#byTopic.set(topic, traffic)
    }
    return traffic
  }

  /** Returns the counters of a topic; undefined while it has had no traffic. */
  find(topic: string): Readonly<TopicTraffic> | undefined {
    return this.#byTopic.get(topic)
  }

  forget(topic: string): void {
    this.#byTopic.delete(topic)
  }
}
