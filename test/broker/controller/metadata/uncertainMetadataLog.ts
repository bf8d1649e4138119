// One metadata log for several nodes, each with its own connection to it. A connection loses
// requests and answers: a rejected append was applied, was not, or is applied when a later request
// reaches the log. Reads fail for a while, and entries are delivered late.

import type {
  MetadataEntry,
  SnapshotEntry,
} from '../../../../broker/controller/metadata/metadataCommand.ts'
import type {
  AppendOutcome,
  EntryListener,
  MetadataHistory,
  MetadataLog,
  StoredEntry,
} from '../../../../broker/controller/metadata/metadataLog.ts'
import { MetadataSubscriptions } from '../../../../broker/controller/metadata/metadataSubscriptions.ts'

/**
 * The fate of an append: `late` is rejected immediately and applied afterwards, if its sequence is
 * still the next one.
 */
export type AppendFate = 'answered' | 'applied' | 'lost' | 'late'

/** The log, which the nodes share. */
export class SharedEntries {
  entries: MetadataEntry[] = []
  /** Sequence of the first entry. */
  first = 0
  snapshot: SnapshotEntry | undefined
  #late: (() => void)[] = []

  get next(): number {
    return this.first + this.entries.length
  }

  /** Appends in flight are applied before each request. */
  arrive(): void {
    for (const apply of this.#late.splice(0)) apply()
  }

  append(sequence: number, entry: MetadataEntry): AppendOutcome {
    if (sequence !== this.next) return 'conflict'
    // Entries are stored as text.
    this.entries.push(JSON.parse(JSON.stringify(entry)) as MetadataEntry)
    return 'appended'
  }

  appendLate(sequence: number, entry: MetadataEntry): void {
    this.#late.push(() => void this.append(sequence, entry))
  }
}

function unreachable(): Error {
  return Object.assign(new Error('EMFILE: the log cannot be reached'), { code: 'EMFILE' })
}

export class UncertainMetadataLog implements MetadataLog {
  readonly #shared: SharedEntries
  readonly #subscriptions = new MetadataSubscriptions()
  /** Fates of the next appends; later ones are answered. */
  fates: AppendFate[] = []
  /** Number of the next reads that fail. */
  readsFail = 0
  /** Whether an answered append has delivered its entry before the answer. */
  deliversAtOnce = true
  /** The newest sequence whose append was applied and rejected. */
  unansweredSequence = -1

  constructor(shared: SharedEntries) {
    this.#shared = shared
  }

  async load(): Promise<MetadataHistory> {
    const { snapshot, entries, next } = this.#shared
    return { snapshot, entries: [...entries], nextSequence: next }
  }

  async append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
    const shared = this.#shared
    const fate = this.fates.shift() ?? 'answered'
    if (fate === 'lost') throw unreachable()
    if (fate === 'late') {
      shared.appendLate(sequence, entry)
      throw unreachable()
    }
    shared.arrive()
    const outcome = shared.append(sequence, entry)
    if (fate === 'applied') {
      if (outcome === 'appended') this.unansweredSequence = sequence
      throw unreachable()
    }
    if (this.deliversAtOnce) this.deliver()
    return outcome
  }

  subscribe(sequence: number, listener: EntryListener): () => void {
    return this.#subscriptions.add(sequence, listener)
  }

  async read(sequence: number): Promise<readonly StoredEntry[]> {
    if (this.readsFail > 0) {
      this.readsFail--
      throw unreachable()
    }
    this.#shared.arrive()
    this.deliver()
    return this.#shared.entries.slice(sequence - this.#shared.first)
  }

  /** The subscription catches up. */
  deliver(): void {
    this.#subscriptions.deliver(this.#shared.first, this.#shared.entries)
  }

  async compact(): Promise<void> {
    throw unreachable()
  }

  async close(): Promise<void> {}
}
