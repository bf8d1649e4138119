// Idempotent producers: one writes numbered records to several partitions in bursts, one writes
// versions of few keys to a compacted topic.

import { expect } from 'vitest'
import { Producer, type ProducerOptions } from '../../../protocol/client/producer/producer.ts'
import type { Ledger } from './ledger.ts'
import type { Load, World } from './world.ts'

const mostBursts = 3

export interface WriterOptions extends ProducerOptions {
  readonly name: string
  readonly topic: string
  readonly partitions: number
  readonly largestValueBytes: number
}

export class NumberedWriter implements Load {
  readonly #world: World
  readonly #ledger: Ledger
  readonly #options: WriterOptions
  readonly #producer: Producer

  constructor(world: World, ledger: Ledger, options: WriterOptions) {
    this.#world = world
    this.#ledger = ledger
    this.#options = options
    this.#producer = newProducer(world, options)
  }

  async run(isOver: () => boolean): Promise<void> {
    const bursts: Promise<unknown>[] = []
    while (!isOver()) {
      const records = 1 + this.#world.random.below(20)
      bursts.push(Promise.all(Array.from({ length: records }, () => this.#write())))
      if (bursts.length >= mostBursts) await bursts.shift()
    }
    await Promise.all(bursts)
    await this.#producer.close()
  }

  async #write(): Promise<void> {
    const { random } = this.#world
    const { name, topic, partitions, largestValueBytes } = this.#options
    const partition = random.below(partitions)
    const place = `${topic}-${partition}`
    const number = this.#ledger.submit(place, name)
    const value = Buffer.from(`${name} ${number} `.padEnd(random.below(largestValueBytes), 'x'))
    await this.#producer.send(topic, { partition, value })
    this.#ledger.acknowledge(place, name, number)
    this.#world.note('stored')
  }
}

const keys = 12

export class KeyWriter implements Load {
  readonly #world: World
  readonly #topic: string
  readonly #producer: Producer
  readonly #versions = new Map<string, number>()
  /** The last value of each key; null is a tombstone. */
  readonly #latest = new Map<string, string | null>()

  constructor(world: World, topic: string) {
    this.#world = world
    this.#topic = topic
    this.#producer = newProducer(world, { lingerMs: 0 })
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const writes = 1 + this.#world.random.below(6)
      await Promise.all(Array.from({ length: writes }, () => this.#write()))
    }
    await this.#producer.close()
  }

  async #write(): Promise<void> {
    const { random } = this.#world
    const key = `k${random.below(keys)}`
    const version = this.#versions.get(key) ?? 0
    this.#versions.set(key, version + 1)
    const value = random.below(8) === 0 ? null : `${version} `.padEnd(random.below(300), 'x')
    this.#latest.set(key, value)
    const bytes = value === null ? null : Buffer.from(value)
    const record = { partition: 0, key: Buffer.from(key), value: bytes }
    await this.#producer.send(this.#topic, record)
    this.#world.note('stored')
  }

  /** `found`: the topic from start to end, in order, with nothing in flight. */
  check(found: readonly { readonly key: string; readonly value: string | null }[]): void {
    const versions = new Map<string, number>()
    const latest = new Map<string, string | null>()
    for (const { key, value } of found) {
      latest.set(key, value)
      if (value === null) continue
      const version = Number.parseInt(value, 10)
      expect(version, `${key} has a newer version`).toBeGreaterThan(versions.get(key) ?? -1)
      versions.set(key, version)
    }
    expect(living(latest)).toEqual(living(this.#latest))
  }
}

function living(latest: ReadonlyMap<string, string | null>): Record<string, string | null> {
  return Object.fromEntries([...latest].filter(([, value]) => value !== null))
}

function newProducer({ cluster, random }: World, options: ProducerOptions): Producer {
  const { clock } = cluster.runtime
  const patience = { deliveryTimeoutMs: Number.POSITIVE_INFINITY }
  return new Producer(cluster, { clock, random }, { ...options, ...patience })
}
