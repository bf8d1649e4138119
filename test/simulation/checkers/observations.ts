// All that the checks of a history share: its calls, and what it shows of each partition.
//
// Contract: built once, in time proportional to the size of the history. A call whose outcome is
// unknown counts as committed from the moment at which something proves that it is: a value that
// was read, or an offset of its own that its group was given.

import type { CheckOptions } from './anomaly.ts'
import { type Call, type Calls, callsOf, commitsOf, pollsOf, sendsOf } from './calls.ts'
import type { History } from './history.ts'
import { ObservedLog } from './observedLog.ts'
import type { Poll } from './operations.ts'
import type { PartitionName } from './value.ts'

export class Observations {
  readonly calls: Calls
  readonly logs = new Map<PartitionName, ObservedLog>()
  readonly options: CheckOptions
  /** Position of the last mark of a name in the history; undefined without one. */
  readonly marks = new Map<'liveness' | 'caughtUp', number>()
  readonly entryCount: number

  constructor(history: History, options: CheckOptions) {
    this.options = options
    this.entryCount = history.length
    this.calls = callsOf(history)
    for (const call of this.calls.all) this.#noteWrites(call)
    for (const call of this.calls.completed) this.#noteReads(call)
    this.#proveByOffsets()
    for (const call of this.calls.all) this.#show(call)
    for (const log of this.logs.values()) log.order()
  }

  log(name: PartitionName): ObservedLog {
    const known = this.logs.get(name)
    if (known) return known
    const created = new ObservedLog(name, this.logs.size)
    this.logs.set(name, created)
    return created
  }

  #noteWrites(call: Call): void {
    for (const send of sendsOf(call.operation))
      this.log(send.partition).writers.set(send.value, call)
  }

  #noteReads(call: Call): void {
    const operation = call.operation
    if (operation.kind === 'mark') this.marks.set(operation.name, call.completedAt)
    else if (operation.kind === 'watermarks')
      for (const [name, seen] of Object.entries(operation.partitions))
        this.log(name).watermarks(seen)
    else for (const poll of pollsOf(operation)) this.#noteReadsOf(call, poll)
  }

  #noteReadsOf(call: Call, poll: Poll): void {
    for (const name in poll.records) {
      const log = this.log(name)
      for (const [offset, value] of poll.records[name]!) {
        if (offset < log.lowestPolled) log.lowestPolled = offset
        if (log.firstReaders.has(value)) continue
        log.firstReaders.set(value, call)
        this.#proveByRead(log.writers.get(value), call)
      }
    }
  }

  /** Reading uncommitted data proves nothing about the end of a transaction. */
  #proveByRead(writer: Call | undefined, reader: Call): void {
    if (writer === undefined || writer === reader || writer.outcome === 'aborted') return
    if (writer.isTransaction && this.options.isolation === 'read_uncommitted') return
    writer.prove(reader.completedAt)
  }

  /** An offset that only one transaction can have committed proves that it did. */
  #proveByOffsets(): void {
    const sources = new Map<string, Call[]>()
    for (const call of this.calls.all)
      for (const [key, , offset] of committedOffsets(call)) {
        const known = sources.get(`${key} ${offset}`)
        if (known) known.push(call)
        else sources.set(`${key} ${offset}`, [call])
      }
    for (const call of this.calls.completed) {
      if (call.operation.kind !== 'committed' || call.type !== 'ok') continue
      for (const [partition, offset] of Object.entries(call.operation.offsets)) {
        const found = sources.get(`${committedKey(call.operation.group, partition)} ${offset}`)
        if (found?.length === 1 && found[0]!.outcome === 'unknown')
          found[0]!.prove(call.completedAt)
      }
    }
  }

  #show(call: Call): void {
    const operation = call.operation
    if (call.outcome === 'committed')
      for (const send of sendsOf(operation))
        if (send.offset !== undefined) this.log(send.partition).show(send.offset, send.value)
    for (const poll of pollsOf(operation))
      for (const name in poll.records) {
        const log = this.log(name)
        for (const [offset, value] of poll.records[name]!) log.show(offset, value)
      }
  }
}

/** Names the committed offset of a partition in a group. */
export function committedKey(group: string, partition: PartitionName): string {
  return `${group} ${partition}`
}

/** What a call sets: the key of each committed offset, its partition and the offset. */
export function committedOffsets(call: Call): readonly [string, PartitionName, number][] {
  const operation = call.operation
  const commits = operation.kind === 'resetOffsets' ? [operation] : commitsOf(operation)
  return commits.flatMap(({ group, offsets }) =>
    Object.entries(offsets).map(([partition, offset]): [string, PartitionName, number] => [
      committedKey(group, partition),
      partition,
      offset,
    ]),
  )
}
