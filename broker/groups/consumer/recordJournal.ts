// The records of one group on their way to the log. What has been decided together is written
// together, and nobody is answered before what the answer rests on is durable. A write that fails
// leaves the state ahead of the log: what was in it, and in those that were under way behind it, is
// written again with the next one, so that log and state come together again once there is space.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { GroupEffect } from '../groupOutcome.ts'
import type { GroupRecord } from '../groupRecords.ts'

/** With 0, or with the error after which a client asks the coordinator again. */
type Answer = (errorCode: number) => void

interface Write {
  readonly records: readonly GroupRecord[]
  readonly answers: Answer[]
  /** A write before it has failed, and its own records are on their way again. */
  isSpoiled: boolean
}

export class RecordJournal {
  readonly #effects: GroupEffect[]
  #decided: GroupRecord[] = []
  /** In the order in which they were sent, which is also the order of the log. */
  #underWay: Write[] = []
  /** The latest of each, by what they are about. */
  readonly #lost = new Map<string, GroupRecord>()

  constructor(effects: GroupEffect[]) {
    this.#effects = effects
  }

  /** Not as arguments: a group of many members has more records than a call can take. */
  add(records: readonly GroupRecord[]): void {
    for (const record of records) this.#decided.push(record)
  }

  /** Sends what has been decided; `answer` is called when all that there is of it is durable. */
  flush(answer: Answer = () => {}): void {
    const records = [...this.#lost.values(), ...this.#decided]
    this.#lost.clear()
    this.#decided = []
    const last = this.#underWay.at(-1)
    if (records.length > 0) this.#send({ records, answers: [answer], isSpoiled: false })
    else if (last) last.answers.push(answer)
    else answer(ErrorCode.none)
  }

  /** What is not known to be in the log. */
  unsettled(): GroupRecord[] {
    const underWay = this.#underWay.flatMap(({ records }) => records)
    return [...underWay, ...this.#lost.values(), ...this.#decided]
  }

  /** What is not on its way yet is not to be written any more. */
  discard(): void {
    this.#lost.clear()
    this.#decided = []
  }

  #send(write: Write): void {
    this.#underWay.push(write)
    this.#effects.push({
      type: 'write',
      records: write.records,
      written: (_, errorCode) => this.#written(write, errorCode === ErrorCode.none),
    })
  }

  #written(write: Write, isDurable: boolean): void {
    const at = this.#underWay.indexOf(write)
    if (!isDurable) {
      for (const spoiled of this.#underWay.slice(at)) this.#lose(spoiled)
    }
    this.#underWay.splice(at, 1)
    const isLost = !isDurable || write.isSpoiled
    for (const answer of write.answers) {
      answer(isLost ? ErrorCode.coordinatorNotAvailable : ErrorCode.none)
    }
  }

  #lose(write: Write): void {
    if (write.isSpoiled) return
    write.isSpoiled = true
    for (const record of write.records) {
      const key = subjectOf(record)
      this.#lost.delete(key)
      this.#lost.set(key, record)
    }
  }
}

/** Of several records with the same, only the last one counts. */
export function subjectOf(record: GroupRecord): string {
  const { value: _, ...subject } = record
  return JSON.stringify(subject)
}
