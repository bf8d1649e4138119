// A metadata log in memory, for a broker that keeps nothing on disk. It outlives the broker that writes it: a
// broker that is started on it again finds what the one before it appended. Its fields are open to tests, which
// look at what was written, and write a history of their own.

import { assert } from '../../protocol/runtime/assert.ts'
import type { MetadataHistory, MetadataLog } from './metadataLog.ts'
import type { MetadataCommand, MetadataSnapshot } from './metadataState.ts'

export class MemoryMetadataLog implements MetadataLog {
  commands: MetadataCommand[] = []
  /** Number of the first of the commands. */
  sequence = 0
  snapshot: MetadataSnapshot | undefined
  /** Every append and read fails with this. */
  failure: Error | undefined

  async load(): Promise<MetadataHistory> {
    const { snapshot, commands, sequence } = this
    return { snapshot, commands: [...commands], nextSequence: sequence + commands.length }
  }

  async append(sequence: number, command: MetadataCommand): Promise<void> {
    if (this.failure) throw this.failure
    const next = this.sequence + this.commands.length
    assert(sequence === next, `command ${sequence} is appended where ${next} is next`)
    this.commands.push(command)
  }

  async read(sequence: number): Promise<readonly MetadataCommand[]> {
    if (this.failure) throw this.failure
    return this.commands.slice(sequence - this.sequence)
  }

  async compact(sequence: number, snapshot: MetadataSnapshot): Promise<void> {
    this.snapshot = snapshot
    this.commands = this.commands.slice(sequence - this.sequence)
    this.sequence = sequence
  }

  async close(): Promise<void> {}
}
