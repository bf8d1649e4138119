// A metadata log that outlives the broker which writes it, but not the test.

import type { MetadataHistory, MetadataLog } from '../../../broker/controller/metadataLog.ts'
import type { MetadataCommand, MetadataSnapshot } from '../../../broker/controller/metadataState.ts'

export class MemoryMetadataLog implements MetadataLog {
  commands: MetadataCommand[] = []
  snapshot: MetadataSnapshot | undefined
  /** The next append fails with this. */
  failure: Error | undefined

  async load(): Promise<MetadataHistory> {
    return { snapshot: this.snapshot, commands: [...this.commands] }
  }

  async append(command: MetadataCommand): Promise<void> {
    if (this.failure) throw this.failure
    this.commands.push(command)
  }

  async compact(snapshot: MetadataSnapshot): Promise<void> {
    this.snapshot = snapshot
    this.commands = []
  }

  async close(): Promise<void> {}
}
