// A metadata log that outlives the broker which writes it, but not the test.

import { expect } from 'vitest'
import type { MetadataHistory, MetadataLog } from '../../../broker/controller/metadataLog.ts'
import type { MetadataCommand, MetadataSnapshot } from '../../../broker/controller/metadataState.ts'

export class MemoryMetadataLog implements MetadataLog {
  commands: MetadataCommand[] = []
  /** Of the first of the commands. */
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
    expect(sequence).toBe(this.sequence + this.commands.length)
    this.commands.push(command)
  }

  async read(sequence: number): Promise<readonly MetadataCommand[]> {
    if (this.failure) throw this.failure
    return this.commands.slice(sequence - this.sequence)
  }

  async compact(sequence: number, snapshot: MetadataSnapshot): Promise<void> {
    this.snapshot = snapshot
    this.commands = []
    this.sequence = sequence
  }

  async close(): Promise<void> {}
}
