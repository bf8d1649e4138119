// Cycles of dependencies between operations: G0 of writes alone, G1c with at least one read, each
// also with the order of a process (-process) or of real time (-realtime). As Elle does it, on the
// order of offsets: an edge ww from the writer of a value to the writer of the next one, an edge wr
// from the writer of a value to each of its readers.
//
// Contract: each component is reported once for each name, with one short cycle. Kafka does not
// isolate the writes of transactions from each other: cycles that need a ww edge of a transaction
// are allowed, and with read_uncommitted also those that need a wr edge of one. Every other
// operation takes effect at one moment (a transaction, for its readers, when it is committed), so
// that no cycle can arise without such an edge, and one that did is not allowed.

import type { AnomalyList } from '../anomaly.ts'
import { type Call, pollsOf } from '../calls.ts'
import { Digraph, EdgeList } from '../digraph.ts'
import type { Observations } from '../observations.ts'
import type { ObservedLog } from '../observedLog.ts'
import type { Value } from '../value.ts'

const kinds = { ww: 1, wr: 2, process: 4, realtime: 8 } as const

/** Set for edges at which Kafka does not isolate transactions. */
const isLoose = 16

/** Places that are tried in a component for a short cycle. */
const mostStarts = 4

interface Level {
  readonly suffix: '' | '-process' | '-realtime'
  readonly order: number
}

const levels: readonly Level[] = [
  { suffix: '', order: 0 },
  { suffix: '-process', order: kinds.process },
  { suffix: '-realtime', order: kinds.realtime },
]

type Family = 'G0' | 'G1c'

export function checkCycles(seen: Observations, found: AnomalyList): void {
  new CycleSearch(seen, found).run()
}

class CycleSearch {
  readonly #seen: Observations
  readonly #found: AnomalyList
  readonly #calls: readonly Call[]
  readonly #edges = new EdgeList()
  /** Kind of each edge, with `isLoose`. */
  readonly #kinds: number[] = []
  /** For people: the partition and the value of each edge ww or wr. */
  readonly #logs: (ObservedLog | undefined)[] = []
  readonly #values: (Value | undefined)[] = []
  readonly #nodeCount: number
  /** Calls of the cycles that were reported. */
  readonly #reported = { G0: new Set<number>(), G1c: new Set<number>() }

  constructor(seen: Observations, found: AnomalyList) {
    this.#seen = seen
    this.#found = found
    this.#calls = seen.calls.all
    // Behind the calls: a node for each entry of the history, and for each entry of its process.
    this.#nodeCount = this.#calls.length + 2 * seen.entryCount
  }

  run(): void {
    if (this.#seen.options.infersWriteOrder !== false)
      for (const log of this.#seen.logs.values()) this.#addWrites(log)
    for (const reader of this.#seen.calls.completed) this.#addReads(reader)
    this.#addRealtime()
    const data = kinds.ww | kinds.wr | kinds.realtime
    const members = this.#membersOf(data | isLoose)
    if (members.size === 0) return
    this.#addProcesses()
    this.#report(this.#membersOf(data), 0)
    this.#report(members, isLoose)
  }

  #add(from: number, to: number, kind: number, log?: ObservedLog, value?: Value): void {
    this.#edges.add(from, to)
    this.#kinds.push(kind)
    this.#logs.push(log)
    this.#values.push(value)
  }

  #addWrites(log: ObservedLog): void {
    let before: Call | undefined
    for (const [index, value] of log.values.entries()) {
      // A duplicate counts where it lies first: its send took effect there.
      if (log.firstIndexOf(value) !== index) continue
      const writer = log.writers.get(value)
      if (writer === undefined || writer.outcome === 'aborted') continue
      if (before !== undefined && before !== writer) {
        const loose = before.isTransaction || writer.isTransaction ? isLoose : 0
        this.#add(before.ordinal, writer.ordinal, kinds.ww | loose, log, value)
      }
      before = writer
    }
  }

  #addReads(reader: Call): void {
    const seesUncommitted = this.#seen.options.isolation === 'read_uncommitted'
    for (const poll of pollsOf(reader.operation))
      for (const name in poll.records) {
        const log = this.#seen.log(name)
        let last: Call | undefined
        for (const [, value] of poll.records[name]!) {
          const writer = log.writers.get(value)
          if (writer === undefined || writer === last) continue
          last = writer
          if (writer === reader || writer.outcome === 'aborted') continue
          const isTransactional = writer.isTransaction || reader.isTransaction
          const loose = seesUncommitted && isTransactional ? isLoose : 0
          this.#add(writer.ordinal, reader.ordinal, kinds.wr | loose, log, value)
        }
      }
  }

  /** What was completed before something was invoked: along a chain of the entries. */
  #addRealtime(): void {
    const first = this.#calls.length
    for (let at = 1; at < this.#seen.entryCount; at++)
      this.#add(first + at - 1, first + at, kinds.realtime)
    for (const call of this.#calls) {
      if (!isData(call)) continue
      this.#add(first + call.invokedAt, call.ordinal, kinds.realtime)
      if (call.type === 'ok') this.#add(call.ordinal, first + call.completedAt, kinds.realtime)
    }
  }

  /** The same along a chain for each process. */
  #addProcesses(): void {
    const first = this.#calls.length + this.#seen.entryCount
    const last = new Map<string, number>()
    const atEntry: (Call | undefined)[] = new Array(this.#seen.entryCount)
    for (const call of this.#calls) {
      if (!isData(call)) continue
      atEntry[call.invokedAt] = call
      if (call.type === 'ok') atEntry[call.completedAt] = call
    }
    atEntry.forEach((call, at) => {
      if (call === undefined) return
      const before = last.get(call.process)
      if (before !== undefined) this.#add(first + before, first + at, kinds.process)
      last.set(call.process, at)
      if (at === call.invokedAt) this.#add(first + at, call.ordinal, kinds.process)
      else this.#add(call.ordinal, first + at, kinds.process)
    })
  }

  #graph(mask: number, within?: ReadonlySet<number>): Digraph {
    return new Digraph(this.#nodeCount, this.#edges, (edge) => {
      const kind = this.#kinds[edge]!
      if ((kind & mask) !== kind) return false
      if (within === undefined) return true
      return (
        this.#isOneOf(this.#edges.from(edge), within) && this.#isOneOf(this.#edges.to(edge), within)
      )
    })
  }

  #isOneOf(node: number, calls: ReadonlySet<number>): boolean {
    return !this.#isCall(node) || calls.has(node)
  }

  #isCall(node: number): boolean {
    return node < this.#calls.length
  }

  /** The calls that lie on any cycle of the edges in the mask. */
  #membersOf(mask: number): Set<number> {
    const members = new Set<number>()
    for (const component of this.#graph(mask).components())
      for (const node of component) if (this.#isCall(node)) members.add(node)
    return members
  }

  /** Reports the cycles among the calls, the simplest names first; `loose`: isLoose or 0. */
  #report(within: ReadonlySet<number>, loose: number): void {
    if (within.size === 0) return
    for (const family of ['G0', 'G1c'] as const)
      for (const level of levels) {
        const data = family === 'G0' ? kinds.ww : kinds.ww | kinds.wr
        const graph = this.#graph(data | level.order | loose, within)
        for (const component of graph.components()) {
          // What a simpler cycle of this component explains is not reported again.
          if (component.some((node) => this.#reported[family].has(node))) continue
          this.#reportComponent(graph, new Set(component), family, level, loose > 0)
        }
      }
  }

  #reportComponent(
    graph: Digraph,
    members: ReadonlySet<number>,
    family: Family,
    level: Level,
    isAllowed: boolean,
  ): void {
    const cycle = this.#shortCycle(graph, members, family === 'G0' ? kinds.ww : kinds.wr)
    if (cycle === undefined) return
    const calls = cycle.map((edge) => this.#edges.from(edge)).filter((node) => this.#isCall(node))
    for (const call of calls) this.#reported[family].add(call)
    const evidence = calls.map((call) => this.#calls[call]!.entry)
    this.#found.add(`${family}${level.suffix}`, isAllowed, evidence, () => this.#describe(cycle))
  }

  /** A cycle with an edge of a kind: the shortest of those from the first such edges. */
  #shortCycle(graph: Digraph, members: ReadonlySet<number>, kind: number): number[] | undefined {
    let shortest: number[] | undefined
    let starts = 0
    for (const edge of graph.edgesWithin(members)) {
      if ((this.#kinds[edge]! & kind) === 0) continue
      const from = this.#edges.from(edge)
      const back = graph.path(this.#edges.to(edge), from, (node) => members.has(node))
      if (back !== undefined && back.length < (shortest?.length ?? Number.POSITIVE_INFINITY) - 1)
        shortest = [edge, ...back]
      if (++starts === mostStarts || shortest?.length === 2) break
    }
    return shortest
  }

  #describe(cycle: readonly number[]): string {
    return cycle
      .filter((edge) => this.#isCall(this.#edges.from(edge)))
      .map((edge) => this.#describeEdge(edge))
      .join('; ')
  }

  #describeEdge(edge: number): string {
    const call = this.#calls[this.#edges.from(edge)]!
    const kind = this.#kinds[edge]!
    const about = `${this.#values[edge]} of ${this.#logs[edge]?.name}`
    const name = `${call.process} (operation ${call.entry.id})`
    if ((kind & kinds.ww) !== 0) return `${name} sent what lies before ${about}`
    if ((kind & kinds.wr) !== 0) return `${name} sent ${about}, which was polled`
    return `${name} was done before the next began`
  }
}

/** Operations that send or poll. */
function isData(call: Call): boolean {
  const kind = call.operation.kind
  return kind === 'send' || kind === 'poll' || kind === 'txn'
}
