// A file with one offset per partition (such as recovery-point-offset-checkpoint), replaced
// atomically, with at most one write in progress. The offsets are collected when a write starts, so
// all calls during a write share the next one.

import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { decodeCheckpoint, encodeCheckpoint } from './checkpointFile.ts'
import { parsePartitionDirectory, partitionDirectoryName } from './dataDirectory.ts'

export interface PartitionOffset extends TopicPartition {
  readonly offset: number
}

/** Offsets by the name of the partition's directory; empty without a sound checkpoint. */
export async function readOffsetCheckpoint(disk: Disk, path: string): Promise<Map<string, number>> {
  const bytes = await disk.readFile(path)
  const entries = bytes ? decodeCheckpoint(bytes, 3) : undefined
  const offsets = new Map<string, number>()
  for (const [topic, partition, text] of entries ?? []) {
    const offset = Number(text)
    const name = partitionDirectoryName(topic!, Number(partition))
    if (!Number.isSafeInteger(offset) || offset < 0 || !parsePartitionDirectory(name)) continue
    offsets.set(name, offset)
  }
  return offsets
}

export class OffsetCheckpoint {
  readonly #disk: Disk
  readonly #path: string
  readonly #collect: () => readonly PartitionOffset[]
  /** Content of the file; undefined before the first write. */
  #written: readonly PartitionOffset[] | undefined
  #underWay: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(disk: Disk, path: string, collect: () => readonly PartitionOffset[]) {
    this.#disk = disk
    this.#path = path
    this.#collect = collect
  }

  /** Resolves when the current offsets are durable. */
  write(): Promise<void> {
    if (!this.#underWay) return this.#begin()
    this.#next ??= this.#underWay.catch(() => {}).then(() => this.#begin())
    return this.#next
  }

  async #begin(): Promise<void> {
    this.#next = undefined
    this.#underWay = this.#replace()
    try {
      await this.#underWay
    } finally {
      this.#underWay = undefined
    }
  }

  async #replace(): Promise<void> {
    const offsets = this.#collect()
    if (this.#written ? isSame(offsets, this.#written) : await this.#isNothingNew(offsets)) return
    const lines = offsets.map(({ topic, partition, offset }) => [topic, partition, offset])
    await this.#disk.writeFileAtomic(this.#path, encodeCheckpoint(lines))
    this.#written = offsets
  }

  /** Whether the offsets equal those in the file, or there are none and no earlier file exists. */
  async #isNothingNew(offsets: readonly PartitionOffset[]): Promise<boolean> {
    return offsets.length === 0 && (await this.#disk.stat(this.#path)) === undefined
  }
}

function isSame(some: readonly PartitionOffset[], others: readonly PartitionOffset[]): boolean {
  if (some.length !== others.length) return false
  return some.every(({ topic, partition, offset }, at) => {
    const other = others[at]!
    return other.offset === offset && other.partition === partition && other.topic === topic
  })
}
