// What has gone through each topic since the broker started. Totals only: whoever shows rates takes
// the difference of two looks at its own pace.

export interface TopicTraffic {
  bytesIn: number
  bytesOut: number
  messagesIn: number
}

export class TrafficByTopic {
  readonly #byTopic = new Map<string, TopicTraffic>()

  /** The counters of a topic, to be kept and added to. */
  of(topic: string): TopicTraffic {
    let traffic = this.#byTopic.get(topic)
    if (!traffic) {
      traffic = { bytesIn: 0, bytesOut: 0, messagesIn: 0 }
      this.#byTopic.set(topic, traffic)
    }
    return traffic
  }

  all(): Iterable<[topic: string, traffic: Readonly<TopicTraffic>]> {
    return this.#byTopic
  }

  forget(topic: string): void {
    this.#byTopic.delete(topic)
  }
}
