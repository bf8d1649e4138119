// The samples of one family for the partitions of a topic, as one text that is kept until one of them changes: of ten
// thousand partitions most are as they were at the exposition before.

import type { BlockWriter } from '../../protocol/telemetry/metrics.ts'

interface Labelled {
  readonly labels: string
}

interface Block {
  /** NaN for what has no sample. */
  readonly values: number[]
  text: string
  samples: number
}

export class LineBlocks<Item extends Labelled> {
  readonly #name: string
  readonly #read: (item: Item) => number | undefined
  /** By what the items belong to. */
  readonly #blocks = new WeakMap<object, Block>()

  /** `read` gives the value of a sample; undefined where there is none. */
  constructor(name: string, read: (item: Item) => number | undefined) {
    this.#name = name
    this.#read = read
  }

  /** Writes a sample for each of the items, which must be those of `owner`, in an order that stays. */
  write(owner: object, items: Iterable<Item>, write: BlockWriter): void {
    let block = this.#blocks.get(owner)
    if (!block) {
      block = { values: [], text: '', samples: 0 }
      this.#blocks.set(owner, block)
    }
    if (this.#note(block, items)) this.#build(block, items)
    write(block.text, block.samples)
  }

  /** Whether something is not as it was. */
  #note({ values }: Block, items: Iterable<Item>): boolean {
    let isChanged = false
    let index = 0
    for (const item of items) {
      const value = this.#read(item) ?? Number.NaN
      if (!Object.is(values[index], value)) {
        isChanged = true
        values[index] = value
      }
      index++
    }
    if (values.length === index) return isChanged
    values.length = index
    return true
  }

  #build(block: Block, items: Iterable<Item>): void {
    let text = ''
    block.samples = 0
    let index = 0
    for (const { labels } of items) {
      const value = block.values[index++]!
      if (Number.isNaN(value)) continue
      text += `${this.#name}${labels} ${value}\n`
      block.samples++
    }
    // Copied: a text that was put together is walked anew, piece by piece, each time that it is written.
    block.text = Buffer.from(text).toString()
  }
}
