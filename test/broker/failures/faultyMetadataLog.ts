// A metadata log that fails on purpose, as FaultyDisk does. An append may fail before its command is written, or
// after: then the command is in the log though its append has failed.

import type { MetadataHistory, MetadataLog } from '../../../broker/controller/metadataLog.ts'
import type { MetadataCommand, MetadataSnapshot } from '../../../broker/controller/metadataState.ts'
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

  async append(sequence: number, command: MetadataCommand): Promise<void> {
    this.#mayFail('metadata append')
    await this.#log.append(sequence, command)
    this.#mayFail('metadata sync')
  }

  async read(sequence: number): Promise<readonly MetadataCommand[]> {
    this.#mayFail('metadata read')
    return await this.#log.read(sequence)
  }

  async compact(sequence: number, snapshot: MetadataSnapshot): Promise<void> {
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
