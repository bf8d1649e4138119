// Up to where each log of a data directory has been cleaned (cleaner-offset-checkpoint, in Kafka's
// format). It must never be ahead of a log that was cut: what is appended there later would be taken
// for clean.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../checkpointFile.ts'
import { partitionDirectoryName, type TopicPartition } from '../dataDirectory.ts'

export const cleanerCheckpointFileName = 'cleaner-offset-checkpoint'

interface Entry extends TopicPartition {
  readonly offset: number
}

export class CleanerCheckpoint {
  readonly #disk: Disk
  readonly #path: string
  readonly #entries: Map<string, Entry>
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, path: string, entries: Map<string, Entry>) {
    this.#disk = disk
    this.#path = path
    this.#entries = entries
  }

  /** Without a sound file nothing counts as clean. */
  static async open(disk: Disk, directory: string): Promise<CleanerCheckpoint> {
    const path = join(directory, cleanerCheckpointFileName)
    const bytes = await disk.readFile(path)
    const entries = new Map<string, Entry>()
    for (const [topic, number, text] of (bytes && decodeCheckpoint(bytes, 3)) ?? []) {
      const partition = Number(number)
      const offset = Number(text)
      if (!Number.isSafeInteger(offset) || offset < 0) continue
      const entry = { topic: topic!, partition, offset }
      entries.set(partitionDirectoryName(entry.topic, partition), entry)
    }
    return new CleanerCheckpoint(disk, path, entries)
  }

  get({ topic, partition }: TopicPartition): number | undefined {
    return this.#entries.get(partitionDirectoryName(topic, partition))?.offset
  }

  async set({ topic, partition }: TopicPartition, offset: number): Promise<void> {
    this.#entries.set(partitionDirectoryName(topic, partition), { topic, partition, offset })
    await this.#write()
  }

  /** The log is going to be cut at `offset`. */
  async lower(topicPartition: TopicPartition, offset: number): Promise<void> {
    const known = this.get(topicPartition)
    if (known !== undefined && known > offset) await this.set(topicPartition, offset)
  }

  /** The topic is deleted; one of the same name begins from nothing. */
  async forget(topic: string): Promise<void> {
    const found = [...this.#entries].filter(([, entry]) => entry.topic === topic)
    for (const [name] of found) this.#entries.delete(name)
    if (found.length > 0) await this.#write()
  }

  /** One write after another, each with everything known when it begins. */
  #write(): Promise<void> {
    const written = this.#writing.then(() => {
      const entries = [...this.#entries.values()]
      const lines = entries.map(({ topic, partition, offset }) => [topic, partition, offset])
      return this.#disk.writeFileAtomic(this.#path, encodeCheckpoint(lines))
    })
    this.#writing = written.catch(() => undefined)
    return written
  }
}
