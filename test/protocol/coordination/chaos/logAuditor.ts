// Reads the log of a chaos run on a connection of its own and folds it: what each change was, with
// its zxid, which sessions expired and how long they had not been heard, and how long the log
// paused. What the log has is what happened: outcomes that callers do not know are found here.
//
// The times of entries are those at which their appends began, by the wall clock of the machine,
// which all members share.

import { CoordinationError } from '../../../../protocol/coordination/coordinationError.ts'
import type { LogEntry } from '../../../../protocol/coordination/log/coordinationLog.ts'
import { connectNats, type NatsLink } from '../../../../protocol/coordination/log/nats/natsLink.ts'
import { NatsLog } from '../../../../protocol/coordination/log/nats/natsLog.ts'
import { Replica } from '../../../../protocol/coordination/member/replica.ts'
import { retryUntilKnown } from '../../../../protocol/coordination/recipes/retry.ts'
import type { TreeEvent } from '../../../../protocol/coordination/tree/operation.ts'
import type { Entry } from '../../../../protocol/coordination/tree/proposal.ts'
import { systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { chaosLogName } from './chaosCoordination.ts'
import { digestOfTree } from './chaosMember.ts'

export interface AuditedEntry {
  readonly member: string
  readonly wallMs: number
}

export interface Expiry {
  readonly name: string
  readonly timeoutMs: number
  readonly member: string
  /** Index of the entry at which the session expired. */
  readonly entry: number
}

/** What the log says, for the judge. */
export interface Audit {
  /** zxid of each change, by the data that it wrote, which no other change wrote. */
  readonly changes: ReadonlyMap<string, number>
  readonly entries: readonly AuditedEntry[]
  readonly expiries: readonly Expiry[]
  /** What must not happen to a log. */
  readonly problems: readonly string[]
}

interface OpenSession {
  readonly name: string
  readonly timeoutMs: number
  readonly member: string
}

const requestTimeoutMs = 1500

export class LogAuditor implements Audit {
  readonly changes = new Map<string, number>()
  readonly entries: AuditedEntry[] = []
  readonly expiries: Expiry[] = []
  readonly problems: string[] = []
  readonly #sessions = new Map<string, OpenSession>()
  readonly #link: NatsLink
  readonly #log: NatsLog
  readonly #replica: Replica
  readonly #unsubscribe: () => void
  /** Sessions that ended with the entry that is folded. */
  #ended: string[] = []

  /** The log must be empty: the auditor creates it. */
  static async open(servers: readonly string[], replicas: number): Promise<LogAuditor> {
    const runtime = { clock: systemClock, random: systemRandom() }
    const link = await connectNats({ servers, requestTimeoutMs }, runtime)
    const log = new NatsLog(link, chaosLogName, replicas, runtime)
    // The servers may still elect the leader of JetStream.
    const { identity } = await retryUntilKnown(systemClock, () => log.load())
    return new LogAuditor(link, log, (onEnded) => {
      const history = { identity, snapshot: undefined, entries: [], lastSequence: 0 }
      return new Replica(history, onEnded)
    })
  }

  private constructor(
    link: NatsLink,
    log: NatsLog,
    replicaOf: (onEnded: (sessions: readonly string[]) => void) => Replica,
  ) {
    this.#link = link
    this.#log = log
    this.#replica = replicaOf((sessions) => this.#ended.push(...sessions))
    this.#replica.watches.add('/', 'recursive', { onEvent: (event) => this.#changed(event) })
    this.#unsubscribe = log.subscribe(0, {
      onEntry: (entry) => this.#fold(entry),
      onSnapshot: ({ sequence }) => {
        this.problems.push(`the auditor was so far behind that it missed entries to ${sequence}`)
      },
      onIdentity: ({ id }) => this.problems.push(`the log was created anew: ${id}`),
      onLost: (last) => {
        this.problems.push(`the log ends at ${last} after entry ${this.#replica.sequence}`)
      },
      onReachable: () => {},
    })
  }

  get tree(): string {
    return digestOfTree(this.#replica.tree)
  }

  /** Index of the server that leads the stream of entries; undefined if nobody says so. */
  async leader(): Promise<number | undefined> {
    try {
      const stream = `${chaosLogName}-g1`
      const info = await this.#link.api('look at a stream', (streams) => streams.info(stream))
      const name = info.cluster?.leader ?? ''
      return name === '' ? undefined : Number(name.slice(1))
    } catch (error) {
      if (error instanceof CoordinationError) return undefined
      throw error
    }
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#log.close()
  }

  #fold(bytes: LogEntry): void {
    try {
      const folded = this.#replica.fold(bytes)
      if (folded !== undefined) this.#add(folded.entry)
    } catch (error) {
      if (!(error instanceof CoordinationError)) throw error
      this.problems.push(error.message)
    }
  }

  #add(entry: Entry): void {
    const { member, wallMs } = entry
    this.entries.push({ member, wallMs })
    const closed = new Set<string>()
    for (const request of entry.requests) {
      if (request.type === 'openSession') {
        const { session, name, timeoutMs } = request
        this.#sessions.set(session, { name, timeoutMs, member })
      } else if (request.type === 'closeSession') closed.add(request.session)
    }
    for (const id of this.#ended) {
      const session = this.#sessions.get(id)!
      this.#sessions.delete(id)
      if (!closed.has(id)) this.expiries.push({ ...session, entry: this.entries.length - 1 })
    }
    this.#ended = []
  }

  /** Called when the tree has this change, and none after it. */
  #changed({ type, path, zxid }: TreeEvent): void {
    if (type === 'deleted') return
    const { data } = this.#replica.tree.get(path)!
    if (data.length > 0) this.changes.set(Buffer.from(data).toString(), zxid)
  }
}
