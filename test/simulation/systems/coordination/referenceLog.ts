// What the log says at every moment, folded by a reference of its own as entries take effect, and
// what must hold for that: sessions end exactly when a model of its own says so, and no proposal
// has an effect twice. Members are compared with it by the zxid of their trees.
//
// Contract: `appended` is called once for each entry of a log that is not damaged, in order. A
// damaged log is not followed until `begin` is called with the repaired one.

import type {
  LogEntry,
  LogHistory,
  LogSnapshot,
} from '../../../../protocol/coordination/log/coordinationLog.ts'
import { type FoldedEntry, Replica } from '../../../../protocol/coordination/member/replica.ts'
import type { OperationResult } from '../../../../protocol/coordination/tree/operation.ts'
import { SessionModel } from './sessionModel.ts'
import { treeDigest } from './treeDigest.ts'
import { generationOf } from './treeMirror.ts'

export interface ReferenceObserver {
  violate(name: string, message: string): void
  sessionEnded(session: string, hasExpired: boolean): void
  nowMs(): number
}

/** What a member had at a zxid. */
interface Observation {
  readonly who: string
  readonly zxid: number
  readonly digest: number
}

/** One log from its beginning, for the comparison at the end. */
interface Lineage {
  readonly begin: LogHistory
  readonly entries: LogEntry[]
  readonly observations: Observation[]
  readonly snapshots: LogSnapshot[]
}

/** The effect of an operation with a unique token. */
export interface TokenEffect {
  readonly times: number
  readonly result: OperationResult
}

const tokenPrefix = 'token '

export class ReferenceLog {
  readonly #observer: ReferenceObserver
  readonly #tokens = new Map<string, TokenEffect>()
  readonly #lineages: Lineage[] = []
  readonly sessions: SessionModel
  #replica: Replica
  #ended: string[] = []
  /** Whether the log is damaged: nothing is compared until it is repaired. */
  isSuspended = false

  constructor(history: LogHistory, observer: ReferenceObserver) {
    this.#observer = observer
    this.sessions = new SessionModel(observer)
    this.#replica = this.begin(history)
  }

  get replica(): Replica {
    return this.#replica
  }

  /** Follows this log from now on. */
  begin(history: LogHistory): Replica {
    const entries: LogEntry[] = []
    this.#lineages.push({ begin: history, entries, observations: [], snapshots: [] })
    this.#replica = new Replica(history, (ended) => void this.#ended.push(...ended))
    this.sessions.begin(this.#replica.state)
    this.isSuspended = false
    return this.#replica
  }

  appended(entry: LogEntry): void {
    if (this.isSuspended) return
    this.#lineages.at(-1)!.entries.push(entry)
    this.#ended = []
    let folded: FoldedEntry | undefined
    try {
      folded = this.#replica.fold(entry)
    } catch (error) {
      this.isSuspended = true
      this.#observer.violate('entry that does not follow', (error as Error).message)
      return
    }
    if (folded === undefined) return
    const hasExpired = this.sessions.applied(folded, this.#ended)
    for (const id of this.#ended) this.#observer.sessionEnded(id, hasExpired.has(id))
    this.#countTokens(folded)
  }

  snapshotWritten(snapshot: LogSnapshot): void {
    if (!this.isSuspended) this.#lineages.at(-1)!.snapshots.push(snapshot)
  }

  /** Text that is recognized in the data of an operation. */
  token(name: string): Buffer {
    return Buffer.from(`${tokenPrefix}${name}`)
  }

  effectOf(token: string): TokenEffect | undefined {
    return this.#tokens.get(`${tokenPrefix}${token}`)
  }

  observed(who: string, zxid: number, digest: number): void {
    // A member may not know of the repaired log yet.
    if (this.isSuspended || generationOf(zxid) !== this.#replica.state.generation) return
    this.#lineages.at(-1)!.observations.push({ who, zxid, digest })
  }

  /** Folds every log once more, and compares what members had of it. */
  compare(): void {
    for (const lineage of this.#lineages) {
      try {
        this.#compareLineage(lineage)
      } catch (error) {
        this.#observer.violate('log that cannot be folded', String(error))
      }
    }
  }

  #compareLineage({ begin, entries, observations, snapshots }: Lineage): void {
    const replica = new Replica(begin, () => {})
    const byZxid = Map.groupBy(observations, ({ zxid }) => zxid)
    const bySequence = new Map(snapshots.map((snapshot) => [snapshot.sequence, snapshot]))
    this.#compareTree(replica, byZxid)
    for (const entry of entries) {
      // What does not follow was reported when it was appended.
      if (entry.sequence !== replica.sequence + 1) break
      const { zxid } = replica.tree
      replica.fold(entry)
      if (replica.tree.zxid !== zxid) this.#compareTree(replica, byZxid)
      this.#compareSnapshot(replica, bySequence.get(entry.sequence))
    }
    for (const [zxid, [first]] of byZxid) {
      this.#observer.violate(
        'tree of no entry',
        `${first!.who} was at ${zxid}: no entry ends there`,
      )
    }
  }

  #compareTree(replica: Replica, byZxid: Map<number, Observation[]>): void {
    const { zxid } = replica.tree
    const found = byZxid.get(zxid)
    if (found === undefined) return
    byZxid.delete(zxid)
    const { digest } = treeDigest(replica.tree)
    for (const { who, digest: other } of found) {
      if (other === digest) continue
      this.#observer.violate('trees differ', `${who} had another tree at zxid ${zxid}`)
    }
  }

  #compareSnapshot(replica: Replica, snapshot: LogSnapshot | undefined): void {
    if (snapshot === undefined || Buffer.from(replica.snapshot().bytes).equals(snapshot.bytes))
      return
    this.#observer.violate(
      'snapshots differ',
      `the snapshot at ${snapshot.sequence} is another one`,
    )
  }

  #countTokens({ entry, outcomes }: FoldedEntry): void {
    for (const [at, request] of entry.requests.entries()) {
      const outcome = outcomes[at]!
      if (request.type !== 'transaction' || 'error' in outcome) continue
      for (const [index, operation] of request.operations.entries()) {
        if (!('data' in operation)) continue
        const text = Buffer.from(operation.data).toString()
        if (text.startsWith(tokenPrefix)) this.#count(text, outcome.results[index]!)
      }
    }
  }

  #count(token: string, result: OperationResult): void {
    const times = (this.#tokens.get(token)?.times ?? 0) + 1
    this.#tokens.set(token, { times, result })
    if (times > 1) this.#observer.violate('applied twice', `${token}: ${times} times`)
  }
}
