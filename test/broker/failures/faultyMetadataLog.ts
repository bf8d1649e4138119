// A metadata log that fails on purpose, like FaultyDisk. An append may fail before its entry is
// written, or after it: then the log has the entry although its append was rejected.

import type {
  MetadataEntry,
  SnapshotEntry,
} from '../../../broker/controller/metadata/metadataCommand.ts'
import type {
  AppendOutcome,
  EntryListener,
  MetadataHistory,
  MetadataLog,
  StoredEntry,
} from '../../../broker/controller/metadata/metadataLog.ts'
import { systemError, type Verdict } from './faultyDisk.ts'

const place = '__metadata'

export class FaultyMetadataLog implements MetadataLog {
  readonly #log: MetadataLog
  readonly #verdict: Verdict

  constructor(log: MetadataLog, verdict: Verdict) {
    this.#log = log
    this.#verdict = verdict
  }

  load(): Promise<MetadataHistory> {
    return this.#log.load()
  }

  async append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
    this.#mayFail('metadata append')
    const outcome = await this.#log.append(sequence, entry)
    this.#mayFail('metadata sync')
    return outcome
  }

  subscribe(sequence: number, listener: EntryListener): () => void {
    return this.#log.subscribe(sequence, listener)
  }

  async read(sequence: number): Promise<readonly StoredEntry[]> {
    this.#mayFail('metadata read')
    return await this.#log.read(sequence)
  }

  async compact(sequence: number, snapshot: SnapshotEntry): Promise<void> {
    this.#mayFail('metadata compact')
    await this.#log.compact(sequence, snapshot)
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  #mayFail(operation: string): void {
    const code = this.#verdict(operation, place)
    if (code !== undefined) throw systemError(code, operation, place)
  }
}
