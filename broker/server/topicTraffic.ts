// What has gone through each topic since the broker started. Totals only: whoever shows rates takes
// the difference of two looks at its own pace.

export interface TopicTraffic {
  bytesIn: number
  bytesOut: number
  messagesIn: number
  messagesOut: number
  /** Appends asked for, of which some were refused or had been done before. */
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

  /** The counters of a topic, to be kept and added to. */
  of(topic: string): TopicTraffic {
    let traffic = this.#byTopic.get(topic)
    if (!traffic) {
      traffic = noTraffic()
      this.#byTopic.set(topic, traffic)
    }
    return traffic
  }

  /** Undefined while nothing has gone through the topic. */
  find(topic: string): Readonly<TopicTraffic> | undefined {
    return this.#byTopic.get(topic)
  }

  forget(topic: string): void {
    this.#byTopic.delete(topic)
  }
}
