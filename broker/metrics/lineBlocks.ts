// The samples of one family for the partitions of a topic, as one text that is cached until a value
// changes: of ten thousand partitions, most are unchanged since the last exposition.

import type { BlockWriter } from '../../protocol/telemetry/metrics/metrics.ts'

interface Labelled {
  readonly labels: string
}

interface Block {
  /** NaN for an item without a sample. */
  readonly values: number[]
  text: string
  samples: number
}

export class LineBlocks<Item extends Labelled> {
  readonly #name: string
  readonly #read: (item: Item) => number | undefined
  /** Blocks by the owner of the items. */
  readonly #blocks = new WeakMap<object, Block>()

  /** `read` returns the value of a sample; undefined if there is none. */
  constructor(name: string, read: (item: Item) => number | undefined) {
    this.#name = name
    this.#read = read
  }

  /**
   * Writes a sample for each item. All items must belong to `owner`, and their order must be
   * stable.
   */
  write(owner: object, items: Iterable<Item>, write: BlockWriter): void {
    let block = this.#blocks.get(owner)
    if (!block) {
      block = { values: [], text: '', samples: 0 }
      this.#blocks.set(owner, block)
    }
    if (this.#note(block, items)) this.#build(block, items)
    write(block.text, block.samples)
  }

  /** Returns whether a value has changed. */
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
    // Copied: a concatenated string (V8 rope) would be flattened again at each write.
    block.text = Buffer.from(text).toString()
  }
}
