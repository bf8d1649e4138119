// The offset below which each log of a data directory is clean (cleaner-offset-checkpoint, in
// Kafka's format). Must never be above the end of a truncated log: records appended later would be
// taken for clean.

import { join } from 'node:path'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { partitionDirectoryName } from './dataDirectory.ts'
import { OffsetCheckpoint, type PartitionOffset } from './offsetCheckpoint.ts'

export const cleanerCheckpointFile = 'cleaner-offset-checkpoint'

/** The part of a log that bounds its checkpoint. */
interface CheckpointedLog extends TopicPartition {
  readonly log: { readonly recoveryPoint: number }
}

export class CleanerCheckpoint {
  readonly #file: OffsetCheckpoint
  readonly #offsets: Map<string, number>
  readonly #logs: () => Iterable<CheckpointedLog>

  /** `offsets`: the content of the file, by the names of the partitions' directories. */
  constructor(
    disk: Disk,
    directory: string,
    offsets: Map<string, number>,
    logs: () => Iterable<CheckpointedLog>,
  ) {
    this.#offsets = offsets
    this.#logs = logs
    this.#file = new OffsetCheckpoint(disk, join(directory, cleanerCheckpointFile), () =>
      this.#collect(),
    )
  }

  /** Undefined for a log that was never cleaned. */
  get({ topic, partition }: TopicPartition): number | undefined {
    return this.#offsets.get(partitionDirectoryName(topic, partition))
  }

  /** All records below `offset` are clean. Resolves when the checkpoint is durable. */
  async set({ topic, partition }: TopicPartition, offset: number): Promise<void> {
    this.#offsets.set(partitionDirectoryName(topic, partition), offset)
    await this.#file.write()
  }

  /**
   * Called when a log was removed, or its recovery point lowered, which precedes a truncation:
   * clean records lie below the recovery point. Resolves when the checkpoint is durable.
   */
  async follow(): Promise<void> {
    if (this.#offsets.size > 0) this.#followLogs()
    await this.#file.write()
  }

  #followLogs(): void {
    const known = new Map<string, number>()
    for (const { topic, partition, log } of this.#logs()) {
      const name = partitionDirectoryName(topic, partition)
      const offset = this.#offsets.get(name)
      if (offset !== undefined) known.set(name, Math.min(offset, log.recoveryPoint))
    }
    this.#offsets.clear()
    for (const [name, offset] of known) this.#offsets.set(name, offset)
  }

  #collect(): PartitionOffset[] {
    const collected: PartitionOffset[] = []
    if (this.#offsets.size === 0) return collected
    for (const { topic, partition } of this.#logs()) {
      const offset = this.get({ topic, partition })
      if (offset !== undefined) collected.push({ topic, partition, offset })
    }
    return collected
  }
}
