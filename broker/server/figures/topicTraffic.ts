// Counters of the traffic of each topic since the broker started. Totals only: rates are
// differences of two readings, at the reader's own interval.

export interface TopicTraffic {
  bytesIn: number
  bytesOut: number
  messagesIn: number
  messagesOut: number
  /** Appends requested, including failed and duplicate ones. */
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

  /** The counters of a topic, created lazily; a caller may keep and increment them. */
  of(topic: string): TopicTraffic {
    let traffic = this.#byTopic.get(topic)
    if (!traffic) {
      traffic = noTraffic()
      this.#byTopic.set(topic, traffic)
    }
    return traffic
  }

  /** Undefined while the topic has had no traffic. */
  find(topic: string): Readonly<TopicTraffic> | undefined {
    return this.#byTopic.get(topic)
  }

  forget(topic: string): void {
    this.#byTopic.delete(topic)
  }
}
