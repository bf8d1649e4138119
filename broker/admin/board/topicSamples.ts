// The broker's counters of its topics over the last seconds. A picture shows the topics as they
// were at its moment, not as they are now: every live agent has reported since that moment.

import type { TopicOverview } from '../../server/overview.ts'
import { Rate } from './rate.ts'

/** Age to which samples are kept; no picture is older. */
const keptMs = 4_000
/** Shortest time of a topic's rate, so that rates do not depend on the sample interval. */
const shortestRateMs = 900
/** A topic without traffic for this long is quiet. */
export const quietAfterMs = 60_000

export interface TopicSample {
  readonly timeMs: number
  readonly topics: ReadonlyMap<string, TopicOverview>
}

/** Rates of one topic, and its last traffic. */
interface TopicTraffic {
  readonly records: Rate
  readonly bytesIn: Rate
  readonly bytesOut: Rate
  total: number
  lastMs: number
}

export class TopicSamples {
  #samples: TopicSample[] = []
  readonly #traffic = new Map<string, TopicTraffic>()

  /** Adds the counters of all existing topics. */
  add(topics: readonly TopicOverview[], timeMs: number): void {
    const byName = new Map(topics.map((topic) => [topic.name, topic]))
    // Samples with a later time were taken before the clock was set back.
    const isKept = ({ timeMs: takenMs }: TopicSample) =>
      takenMs <= timeMs && timeMs - takenMs <= keptMs
    this.#samples = [...this.#samples.filter(isKept), { timeMs, topics: byName }]
    for (const topic of topics) this.#read(topic, timeMs)
    for (const name of this.#traffic.keys()) if (!byName.has(name)) this.#traffic.delete(name)
  }

  /** Returns the latest sample taken no later than `timeMs`; the oldest if all are later. */
  at(timeMs: number): TopicSample {
    const sample = this.#samples.findLast((candidate) => candidate.timeMs <= timeMs)
    return sample ?? this.#samples[0] ?? { timeMs, topics: new Map() }
  }

  traffic(name: string): TopicTraffic | undefined {
    return this.#traffic.get(name)
  }

  #read(topic: TopicOverview, timeMs: number): void {
    const known = this.#traffic.get(topic.name)
    const { messagesInTotal, bytesInTotal, bytesOutTotal } = topic
    const isKnown = messagesInTotal !== null
    const total = (messagesInTotal ?? 0) + (bytesOutTotal ?? 0)
    const traffic = known ?? newTraffic(total)
    if (isKnown) traffic.records.read(messagesInTotal, timeMs)
    else traffic.records.perSecond = null
    if (bytesInTotal !== null) traffic.bytesIn.read(bytesInTotal, timeMs)
    if (bytesOutTotal !== null) traffic.bytesOut.read(bytesOutTotal, timeMs)
    if (isKnown && total !== traffic.total) traffic.lastMs = timeMs
    if (isKnown) traffic.total = total
    if (!known) this.#traffic.set(topic.name, traffic)
  }
}

function newTraffic(total: number): TopicTraffic {
  const rate = () => new Rate(shortestRateMs)
  return {
    records: rate(),
    bytesIn: rate(),
    bytesOut: rate(),
    total,
    lastMs: Number.NEGATIVE_INFINITY,
  }
}
