// Writes versions of keys to a compacted topic in transactions that stay open for a while, and are
// mostly aborted. In the end each key has the version of its last transaction that was committed:
// compaction must not have removed it for one that was aborted later.

import { KafkaError } from '../../../../../protocol/kafka/errors.ts'
import { type Client, isPassing } from './client.ts'
import { type FoundRecord, readAll } from './keyWriter.ts'
import {
  type Identity,
  newVersions,
  oldVersions,
  TransactionRequests,
} from './transactionRequests.ts'

const keys = 2
/** Records of one transaction. */
const mostRecords = 12

/** What is known of a key: the versions of which it may have one. 0 for none. */
type KeyVersions = Map<string, number[]>

export function keyTransactions(transactionalId: string) {
  return async (client: Client): Promise<void> => {
    await new KeyTransactions(client, transactionalId).run()
  }
}

class KeyTransactions {
  readonly #client: Client
  readonly #requests: TransactionRequests
  readonly #versions: KeyVersions
  #next = 1

  constructor(client: Client, transactionalId: string) {
    this.#client = client
    const versions = client.random.below(2) === 0 ? newVersions : oldVersions
    this.#requests = new TransactionRequests(client, transactionalId, versions)
    this.#versions = client.memory<KeyVersions>(() => new Map())
  }

  async run(): Promise<void> {
    await this.#write()
    // Ends what an earlier incarnation, or this one, has left open.
    await this.#requests.initialize()
    const found = await readAll(this.#client, this.#topic, 'committed')
    this.#check(found)
  }

  async #write(): Promise<void> {
    while (!this.#client.isOver) {
      let identity: Identity | undefined = await this.#requests.initialize()
      while (identity !== undefined && !this.#client.isOver) {
        identity = await this.#transaction(identity)
        await this.#client.think()
      }
    }
  }

  /** Returns the identity for the next transaction; undefined if the producer has to start anew. */
  async #transaction(identity: Identity): Promise<Identity | undefined> {
    const { random } = this.#client
    const committed = random.below(3) === 0
    const written = new Map<string, number>()
    try {
      if (this.#requests.versions.addsPartitions) {
        await this.#client.patiently(() => this.#requests.addPartition(identity, this.#topic, 0))
      }
      // An incarnation has keys of its own, as those of `keyWriter`.
      const count = committed ? keys : 1 + random.below(mostRecords)
      for (let record = 0; record < count; record++) {
        const key = `${this.#client.name} ${random.below(keys)}`
        // Never used again: a record whose request failed may be stored.
        const number = this.#next++
        await this.#produce(identity, key, number)
        written.set(key, number)
        if (!committed) await this.#client.pause(10 * random.float())
      }
      // Until it is answered; the process may be killed before.
      if (committed) this.#note(written, 'unknown')
      const next = await this.#client.patiently(() => this.#requests.end(identity, committed))
      if (committed) this.#note(written, 'committed')
      return next
    } catch (error) {
      if (!(error instanceof KafkaError) && !isPassing(error)) throw error
      return undefined
    }
  }

  async #produce(identity: Identity, key: string, number: number): Promise<void> {
    const value = `${number} `.padEnd(100 + this.#client.random.below(200), '.')
    const batch = this.#requests.nextBatch(identity, this.#topic, 0, { key, value })
    await this.#client.patiently(() => this.#requests.produce(this.#topic, 0, batch))
  }

  #note(written: ReadonlyMap<string, number>, outcome: 'unknown' | 'committed'): void {
    for (const [key, number] of written) {
      const possible = this.#versions.get(key) ?? [0]
      this.#versions.set(key, outcome === 'committed' ? [number] : [...possible, number])
    }
  }

  #check(found: readonly FoundRecord[]): void {
    const last = new Map(found.map(({ key, number }) => [key, number]))
    for (const [key, possible] of this.#versions) {
      const number = last.get(key) ?? 0
      if (possible.includes(number)) continue
      this.#client.shared.violate(
        'lost key',
        `${key} has version ${number}, expected ${possible.join(' or ')}`,
      )
    }
    this.#client.shared.reached('the keys of transactions were checked')
  }

  get #topic(): string {
    return this.#client.shared.parameters.keyedTopic.name
  }
}
