// Random histories of a log that is right: partitions, transactions with markers, read_committed
// consumers, groups with rebalances, crashes and unknown outcomes, as a small model. The checker
// must find nothing in them that is not allowed.
//
// Contract: each process is a generator that takes one step at a time; a random one goes next, so
// that operations overlap. An effect happens in one step between invocation and completion, or, of
// an operation whose outcome is unknown, in a later one or never.

import type { Random } from '../../../protocol/runtime/random.ts'
import { type History, type PendingOperation, Recorder } from './history.ts'
import type { OffsetAndValue, Poll, Send, Transaction, TransactionStep } from './operations.ts'

interface ModelTransaction {
  state: 'open' | 'committed' | 'aborted'
}

interface ModelRecord {
  /** Undefined for the marker of a transaction. */
  readonly value: number | undefined
  readonly transaction: ModelTransaction | undefined
}

class ModelLog {
  readonly name: string
  readonly records: ModelRecord[] = []

  constructor(name: string) {
    this.name = name
  }

  append(value: number | undefined, transaction?: ModelTransaction): number {
    this.records.push({ value, transaction })
    return this.records.length - 1
  }

  get lastStableOffset(): number {
    const open = this.records.findIndex(({ transaction }) => transaction?.state === 'open')
    return open < 0 ? this.records.length : open
  }

  /** Up to `most` committed values from a position on, and the position behind them. */
  read(position: number, most: number): { records: OffsetAndValue[]; position: number } {
    const records: OffsetAndValue[] = []
    let offset = position
    for (; offset < this.lastStableOffset && records.length < most; offset++) {
      const { value, transaction } = this.records[offset]!
      if (value !== undefined && transaction?.state !== 'aborted') records.push([offset, value])
    }
    return { records, position: offset }
  }
}

type Steps = Generator<undefined, void, undefined>

/** What became of an operation that was asked. */
type Fate = 'ok' | 'failed' | 'applied unanswered' | 'lost' | 'late'

const group = 'readers'

export function modelHistory(random: Random, steps: number): History {
  return new ModelCluster(random).run(steps)
}

class ModelCluster {
  readonly #random: Random
  #nowMs = 0
  readonly #recorder = new Recorder(() => this.#nowMs++)
  readonly #logs = ['in-0', 'out-0', 'out-1'].map((name) => new ModelLog(name))
  readonly #running = new Set<Steps>()
  readonly #committed = new Map<string, number>()
  #nextValue = 0
  #generation = 0
  #names = 0
  /** Transactions of the processor whose end is not decided yet. */
  #undecided = 0
  #isEnding = false
  /** The members of the group, with their partitions. */
  readonly #members: ModelMember[] = [
    { process: this.#newName('member'), positions: new Map(), generation: 0 },
    { process: this.#newName('member'), positions: new Map(), generation: 0 },
  ]

  constructor(random: Random) {
    this.#random = random
  }

  run(steps: number): History {
    const processes = [
      this.#producer(),
      this.#producer(),
      this.#processor(),
      this.#reader(),
      this.#coordinator(),
      ...this.#members.map((member) => this.#member(member)),
    ]
    for (const process of processes) this.#running.add(process)
    for (let step = 0; step < steps; step++) this.#step()
    this.#isEnding = true
    this.#recorder.note('test', { kind: 'mark', name: 'liveness' })
    while (this.#running.size > 0) this.#step()
    this.#readAll()
    this.#recorder.note('test', { kind: 'mark', name: 'caughtUp' })
    return this.#recorder.history
  }

  #step(): void {
    const running = [...this.#running]
    const next = running[this.#random.below(running.length)]!
    if (next.next().done) this.#running.delete(next)
  }

  #newName(kind: string): string {
    return `${kind}-${this.#names++}`
  }

  #log(name: string): ModelLog {
    return this.#logs.find((log) => log.name === name)!
  }

  #fate(): Fate {
    if (this.#isEnding) return 'ok'
    const drawn = this.#random.below(20)
    if (drawn < 16) return 'ok'
    return (['failed', 'applied unanswered', 'lost', 'late'] as const)[drawn - 16]!
  }

  /** Applies an effect according to its fate and answers; false if the process has to crash. */
  *#answer(
    fate: Fate,
    pending: PendingOperation,
    apply: () => Parameters<PendingOperation['ok']>[0],
  ): Generator<undefined, boolean, undefined> {
    yield
    if (fate === 'failed') {
      pending.fail('refused')
      return true
    }
    const applied = fate === 'ok' || fate === 'applied unanswered' ? apply() : undefined
    yield
    if (fate === 'ok') {
      pending.ok(applied)
      return true
    }
    if (fate === 'late') this.#running.add(this.#later(apply))
    // Half of the lost answers are noticed, the others end with their process.
    if (this.#random.below(2) === 0) pending.unknown('timeout')
    return false
  }

  *#later(apply: () => unknown): Steps {
    for (let wait = this.#random.below(30); wait > 0; wait--) yield
    apply()
  }

  #crash(process: string, kind: string): string {
    this.#recorder.note(process, { kind: 'crash' })
    return this.#newName(kind)
  }

  *#producer(): Steps {
    let process = this.#newName('producer')
    while (!this.#isEnding) {
      const log = this.#logs[this.#random.below(2)]!
      const send: Send = { kind: 'send', partition: log.name, value: this.#nextValue++ }
      const pending = this.#recorder.begin(process, send)
      const isAlive = yield* this.#answer(this.#fate(), pending, () => {
        const offset = log.append(send.value as number)
        return { ...send, offset }
      })
      if (!isAlive) process = this.#crash(process, 'producer')
      yield
    }
  }

  /** Consumes, transforms and produces in transactions; starts again where its group stands. */
  *#processor(): Steps {
    let process = this.#newName('processor')
    let position = yield* this.#start(process)
    while (!this.#isEnding) {
      const steps: TransactionStep[] = []
      const planned: Transaction = {
        kind: 'txn',
        steps,
        end: this.#random.below(4) === 0 ? 'abort' : 'commit',
      }
      const pending = this.#recorder.begin(process, planned)
      const transaction: ModelTransaction = { state: 'open' }
      this.#undecided++
      const behind = yield* this.#transform(steps, transaction, position)
      const end = this.#fate()
      const isCommitted = planned.end === 'commit' && end !== 'failed' && end !== 'lost'
      const done = { ...planned, endTimeMs: this.#nowMs }
      const decide = () => this.#decide(transaction, steps, isCommitted)
      if (end === 'failed' || end === 'lost') decide()
      const isAlive = yield* this.#answer(end, pending, () => {
        decide()
        return done
      })
      if (isAlive && isCommitted) position = behind
      else {
        if (!isAlive) process = this.#crash(process, 'processor')
        position = yield* this.#start(process)
      }
    }
  }

  *#transform(
    steps: TransactionStep[],
    transaction: ModelTransaction,
    from: number,
  ): Generator<undefined, number, undefined> {
    let position = from
    for (let poll = this.#random.below(3); poll >= 0; poll--) {
      yield
      const read = this.#log('in-0').read(position, 1 + this.#random.below(4))
      position = read.position
      steps.push(pollOf('in-0', read))
      for (const [,] of read.records) {
        const log = this.#logs[1 + this.#random.below(2)]!
        const value = this.#nextValue++
        steps.push({
          kind: 'send',
          partition: log.name,
          value,
          offset: log.append(value, transaction),
        })
        yield
      }
    }
    steps.push({ kind: 'commit', group: 'processors', offsets: { 'in-0': position } })
    return position
  }

  #decide(
    transaction: ModelTransaction,
    steps: readonly TransactionStep[],
    isCommitted: boolean,
  ): void {
    this.#undecided--
    transaction.state = isCommitted ? 'committed' : 'aborted'
    const sends = steps.filter((step) => step.kind === 'send')
    for (const name of new Set(sends.map((send) => send.partition)))
      this.#log(name).append(undefined)
    const commit = steps.find((step) => step.kind === 'commit')
    if (isCommitted && commit) this.#committed.set('processors in-0', commit.offsets['in-0']!)
  }

  /** A new incarnation waits until the transaction of the one before is decided (KIP-447). */
  *#start(process: string): Generator<undefined, number, undefined> {
    while (this.#undecided > 0) yield
    return yield* this.#fetchOffset(process, 'processors', 'in-0')
  }

  *#fetchOffset(
    process: string,
    name: string,
    partition: string,
  ): Generator<undefined, number, undefined> {
    const asked = { kind: 'committed', group: name, offsets: {} } as const
    const pending = this.#recorder.begin(process, asked)
    yield
    const offset = this.#committed.get(`${name} ${partition}`) ?? -1
    yield
    pending.ok({ ...asked, offsets: { [partition]: offset } })
    const position = Math.max(offset, 0)
    this.#recorder.note(process, { kind: 'seek', positions: { [partition]: position } })
    return position
  }

  /** Reads all partitions without a group, observes them, and sometimes goes back. */
  *#reader(): Steps {
    const process = this.#newName('reader')
    const positions = new Map(this.#logs.map((log) => [log, 0]))
    const names = this.#logs.map((log) => log.name)
    this.#recorder.note(process, { kind: 'assign', partitions: names })
    const start = Object.fromEntries(names.map((name) => [name, 0]))
    this.#recorder.note(process, { kind: 'seek', positions: start })
    while (!this.#isEnding) {
      const log = this.#logs[this.#random.below(this.#logs.length)]!
      if (this.#random.below(12) === 0) {
        positions.set(log, this.#random.below(positions.get(log)! + 1))
        this.#recorder.note(process, {
          kind: 'seek',
          positions: { [log.name]: positions.get(log)! },
        })
      }
      const pending = this.#recorder.begin(process, { kind: 'poll', records: {} })
      yield
      const read = log.read(positions.get(log)!, 1 + this.#random.below(5))
      const highWatermark = log.records.length
      const { lastStableOffset } = log
      yield
      pending.ok(pollOf(log.name, read))
      positions.set(log, read.position)
      this.#recorder.note(process, {
        kind: 'watermarks',
        partitions: { [log.name]: { logStartOffset: 0, lastStableOffset, highWatermark } },
      })
    }
  }

  /** Gives each partition of the topic out to one of the members, again and again. */
  *#coordinator(): Steps {
    while (!this.#isEnding) {
      this.#generation++
      for (const log of this.#logs.slice(1)) {
        const owner = this.#members[this.#random.below(this.#members.length)]!
        for (const member of this.#members) member.assignment?.delete(log.name)
        owner.assignment = (owner.assignment ?? new Set()).add(log.name)
      }
      for (let wait = 20 + this.#random.below(40); wait > 0 && !this.#isEnding; wait--) yield
    }
  }

  *#member(member: ModelMember): Steps {
    while (!this.#isEnding) {
      yield
      if (member.generation !== this.#generation) yield* this.#join(member)
      const names = [...member.positions.keys()]
      if (names.length === 0) continue
      const name = names[this.#random.below(names.length)]!
      const read = this.#log(name).read(member.positions.get(name)!, 1 + this.#random.below(4))
      const pending = this.#recorder.begin(member.process, { kind: 'poll', records: {} })
      yield
      pending.ok(pollOf(name, read))
      member.positions.set(name, read.position)
      if (this.#random.below(2) === 0) yield* this.#commit(member)
    }
  }

  *#join(member: ModelMember): Steps {
    const revoked = [...member.positions.keys()]
    const generation = this.#generation
    const assigned = [...(member.assignment ?? [])]
    member.positions.clear()
    member.generation = generation
    this.#recorder.note(member.process, { kind: 'rebalance', group, generation, revoked, assigned })
    for (const name of assigned)
      member.positions.set(name, yield* this.#fetchOffset(member.process, group, name))
  }

  *#commit(member: ModelMember): Steps {
    const { generation } = member
    const offsets = Object.fromEntries(member.positions)
    const commit = { kind: 'commit', group, generation, offsets } as const
    const pending = this.#recorder.begin(member.process, commit)
    const fate = generation === this.#generation ? this.#fate() : 'failed'
    // A commit that arrives late is fenced if its generation is over by then.
    const isAlive = yield* this.#answer(
      fate === 'ok' ? 'applied unanswered' : fate,
      pending,
      () => {
        if (generation === this.#generation) this.#apply(offsets)
        else pending.fail('ILLEGAL_GENERATION')
        if (fate === 'ok') pending.ok()
        return undefined
      },
    )
    if (isAlive || fate === 'ok') return
    member.process = this.#crash(member.process, 'member')
    member.positions.clear()
    this.#generation++
  }

  #apply(offsets: Readonly<Record<string, number>>): void {
    for (const [name, offset] of Object.entries(offsets))
      this.#committed.set(`${group} ${name}`, offset)
  }

  #readAll(): void {
    const process = this.#newName('last')
    for (const log of this.#logs) {
      const read = log.read(0, Number.POSITIVE_INFINITY)
      this.#recorder.begin(process, { kind: 'poll', records: {} }).ok(pollOf(log.name, read))
    }
  }
}

interface ModelMember {
  process: string
  generation: number
  /** What the coordinator decided last. */
  assignment?: Set<string>
  readonly positions: Map<string, number>
}

function pollOf(name: string, read: { records: OffsetAndValue[]; position: number }): Poll {
  return { kind: 'poll', records: { [name]: read.records }, positions: { [name]: read.position } }
}
