// The subscribers of one metadata log, each with the sequence of its next entry. Delivers every
// entry once and in order; a delivery that starts during another one leaves its entries to that
// one.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { EntryListener, StoredEntry } from './metadataLog.ts'

interface Subscriber {
  next: number
  readonly listener: EntryListener
  isDelivering: boolean
}

export class MetadataSubscriptions {
  readonly #subscribers = new Set<Subscriber>()

  /** Returns a function that ends the subscription. */
  add(sequence: number, listener: EntryListener): () => void {
    const subscriber = { next: sequence, listener, isDelivering: false }
    this.#subscribers.add(subscriber)
    return () => void this.#subscribers.delete(subscriber)
  }

  /** `entries` are durable and contiguous; `first` is the sequence of the first one. */
  deliver(first: number, entries: readonly StoredEntry[]): void {
    for (const subscriber of this.#subscribers) this.#deliver(subscriber, first, entries)
  }

  #deliver(subscriber: Subscriber, first: number, entries: readonly StoredEntry[]): void {
    const end = first + entries.length
    if (subscriber.isDelivering || subscriber.next >= end) return
    assert(subscriber.next >= first, `entry ${subscriber.next} is delivered before entry ${first}`)
    subscriber.isDelivering = true
    try {
      while (subscriber.next < end && this.#subscribers.has(subscriber)) {
        const sequence = subscriber.next++
        subscriber.listener(sequence, entries[sequence - first]!)
      }
    } finally {
      subscriber.isDelivering = false
    }
  }
}
