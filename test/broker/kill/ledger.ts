// What writers submitted and were answered, compared with what readers find. A record is identified
// by its value: its writer, and its number among the records of that writer in the partition. Knows
// neither clients nor brokers.

/** Counts of errors that must be 0: a failing test prints them. */
export class Tally {
  acknowledged = 0
  read = 0
  duplicates = 0
  losses = 0
}

export class Ledger {
  readonly tally = new Tally()
  readonly #submitted = new Map<string, number>()
  readonly #acknowledged = new Map<string, number>()

  /** Returns the number of the writer's next record at a place. */
  submit(place: string, writer: string): number {
    const key = `${place} ${writer}`
    const number = this.#submitted.get(key) ?? 0
    this.#submitted.set(key, number + 1)
    return number
  }

  acknowledge(place: string, writer: string, number: number): void {
    const key = `${place} ${writer}`
    this.tally.acknowledged++
    this.#acknowledged.set(key, Math.max(this.#acknowledged.get(key) ?? 0, number + 1))
  }

  /** For every writer at the place, the number of its acknowledged records. */
  *acknowledgedAt(place: string): Iterable<readonly [writer: string, count: number]> {
    for (const [key, count] of this.#acknowledged) {
      const [at, writer] = key.split(' ')
      if (at === place) yield [writer!, count]
    }
  }
}

/** One reading of a partition, record by record: the numbers of each writer must be consecutive. */
export class Reading {
  readonly #tally: Tally
  readonly #isWhole: boolean
  readonly #next = new Map<string, number>()

  /** `isWhole`: from the first record on; otherwise the first number of a writer is arbitrary. */
  constructor(tally: Tally, isWhole: boolean) {
    this.#tally = tally
    this.#isWhole = isWhole
  }

  take(value: string): void {
    const [writer, digits] = value.split(' ')
    const number = Number(digits)
    const expected = this.#next.get(writer!) ?? (this.#isWhole ? 0 : number)
    this.#tally.read++
    if (number < expected) this.#tally.duplicates++
    else this.#tally.losses += number - expected
    this.#next.set(writer!, Math.max(expected, number + 1))
  }

  /** At the end: every acknowledged record has been read. */
  finish(acknowledged: Iterable<readonly [writer: string, count: number]>): void {
    for (const [writer, count] of acknowledged) {
      this.#tally.losses += Math.max(0, count - (this.#next.get(writer) ?? 0))
    }
  }
}
