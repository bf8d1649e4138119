// What was delivered, as a plain reader of the topics sees it.

import { asWritten } from './lineComponents.ts'

/** The values of the records of each channel's topic, by partition, in order. */
export class Delivered {
  readonly partitions: readonly (readonly string[][])[]
  /** How often each value arrived, by channel. */
  readonly counts: readonly Map<string, number>[]
  total = 0

  constructor(channels: number, partitions: number) {
    this.partitions = Array.from({ length: channels }, () =>
      Array.from({ length: partitions }, () => []),
    )
    this.counts = this.partitions.map(() => new Map())
  }

  add(channel: number, partition: number, value: string): void {
    const text = asWritten(value)
    this.partitions[channel]![partition]!.push(text)
    const counts = this.counts[channel]!
    counts.set(text, (counts.get(text) ?? 0) + 1)
    this.total++
  }
}
