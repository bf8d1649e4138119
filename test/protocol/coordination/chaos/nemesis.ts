// Breaks a chaos run (Jepsen's word): kills, pauses and cuts off servers, mostly the one that leads
// the stream of the log; kills and pauses member processes, and cuts members off from all servers.
// Which faults, and how long each lasts, depends on the seed; `heal` undoes what is still broken.

import type { Random } from '../../../../protocol/runtime/random.ts'
import { systemClock as clock, sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { NatsServers } from '../../../peers/natsServers.ts'
import type { ChildMember } from './childMember.ts'

/** A member that can be cut off from all servers. */
export interface CuttableMember {
  readonly name: string
  setCut(isCut: boolean): void
}

export interface NemesisOptions {
  readonly servers: NatsServers
  readonly children: readonly ChildMember[]
  readonly cuttable: readonly CuttableMember[]
  /** The server that leads the stream of the log. */
  readonly leader: () => Promise<number | undefined>
  /** Names of the members that lead or hold a lock. */
  readonly holders: () => readonly string[]
  readonly random: Random
}

/** Each begins a fault and returns what ends it. */
type Fault = () => Promise<() => void | Promise<void>>

const serverFaults = ['kill', 'pause', 'cut', 'separate'] as const
type ServerFault = (typeof serverFaults)[number]
const memberFaults = ['kill', 'pause', 'cut'] as const
type MemberFault = (typeof memberFaults)[number]

/** A pause or a cut is noticed by those who wait for an answer after up to 6 s. */
const longestMs = { kill: 4000, pause: 9000, cut: 9000, separate: 9000 } as const
/** Longer than the timeouts of most sessions. */
const longestOfMemberMs = { kill: 3000, pause: 12_000, cut: 12_000 } as const

export class Nemesis {
  readonly #options: NemesisOptions
  readonly #over = new AbortController()
  readonly #serverCounts = { kill: 0, pause: 0, cut: 0, separate: 0 }
  readonly #memberCounts = { kill: 0, pause: 0, cut: 0 }
  #running: Promise<unknown> = Promise.resolve()
  readonly #faultyServers = new Set<number>()
  #leadersBroken = 0
  #startedMs = 0
  /** What was broken when, for the message of a failed run. */
  readonly timeline: string[] = []

  constructor(options: NemesisOptions) {
    this.#options = options
  }

  start(): void {
    this.#startedMs = clock.monotonicMs()
    this.#running = Promise.all([this.#breakServers(), this.#breakMembers()])
  }

  /** Resolves when every server and member runs and reaches the others. */
  async heal(): Promise<void> {
    this.#over.abort()
    await this.#running
    const { children } = this.#options
    for (const child of children) if (!child.isRunning) void child.start()
  }

  get counts() {
    const { cut, separate, ...counts } = this.#serverCounts
    return {
      servers: { ...counts, cut: cut + separate },
      leadersBroken: this.#leadersBroken,
      members: this.#memberCounts,
    }
  }

  async #breakServers(): Promise<void> {
    let bag: ServerFault[] = []
    while (!this.#isOver) {
      if (bag.length === 0) bag = this.#shuffled(serverFaults)
      const fault = bag.pop()!
      const ends = [this.#breakServer(fault, await this.#victim(), longestMs[fault])]
      const draw = this.#options.random.below(8)
      if (draw < 3) await this.#sleep(1000)
      if (draw < 2) {
        // The majority is gone for a moment.
        const second = serverFaults[this.#options.random.below(serverFaults.length)]!
        ends.push(this.#breakServer(second, await this.#victim(), 3000))
      } else if (draw === 2) {
        // All servers are broken at once, most of them killed.
        ends.push(...this.#others().map((index) => this.#breakServer('kill', index, 2000)))
      }
      await Promise.all(ends)
      await this.#sleep(4000)
    }
  }

  async #breakMembers(): Promise<void> {
    let bag: MemberFault[] = []
    while (!this.#isOver) {
      await this.#sleep(4000)
      if (this.#isOver) return
      if (bag.length === 0) bag = this.#shuffled(memberFaults)
      const fault = bag.pop()!
      this.#memberCounts[fault]++
      await this.#breakMember(fault)
    }
  }

  async #breakMember(fault: MemberFault): Promise<void> {
    const child = this.#holderOf(this.#options.children)
    const cut = this.#holderOf(this.#options.cuttable)
    const { name } = fault === 'cut' ? cut : child
    const begin = async () => {
      if (fault === 'kill') {
        await child.kill()
        return () => void child.start()
      }
      if (fault === 'pause') child.pause()
      else cut.setCut(true)
      return fault === 'pause' ? () => child.resume() : () => cut.setCut(false)
    }
    await this.#during(`${fault} ${name}`, begin, longestOfMemberMs[fault])
  }

  /** Whoever leads or holds a lock, if there is one among them. */
  #holderOf<T extends { readonly name: string }>(members: readonly T[]): T {
    const { holders, random } = this.#options
    const names = holders()
    const holding = members.filter(({ name }) => names.includes(name))
    const chosen = holding.length > 0 ? holding : members
    return chosen[random.below(chosen.length)]!
  }

  /** Mostly the leader of the stream; never a server that is broken. */
  async #victim(): Promise<number> {
    const { leader, random } = this.#options
    const index = random.below(3) > 0 ? await leader() : undefined
    if (index !== undefined && !this.#faultyServers.has(index)) {
      this.#leadersBroken++
      return index
    }
    const others = this.#others()
    return others[random.below(others.length)]!
  }

  /** Servers that are not broken. */
  #others(): number[] {
    const { servers } = this.#options
    return [...servers.addresses.keys()].filter((each) => !this.#faultyServers.has(each))
  }

  async #breakServer(fault: ServerFault, index: number, mostMs: number): Promise<void> {
    if (this.#isOver) return
    this.#serverCounts[fault]++
    this.#faultyServers.add(index)
    await this.#during(`${fault} server ${index}`, this.#serverFault(fault, index), mostMs)
    this.#faultyServers.delete(index)
  }

  #serverFault(fault: ServerFault, index: number): Fault {
    const { servers } = this.#options
    const others = [...servers.addresses.keys()].filter((other) => other !== index)
    switch (fault) {
      case 'kill':
        return async () => {
          await servers.kill(index)
          return () => servers.start(index)
        }
      case 'pause':
        return async () => {
          servers.pause(index)
          return () => servers.resume(index)
        }
      case 'cut':
        return async () => {
          servers.cutOff(index)
          return () => servers.heal(index)
        }
      case 'separate':
        return async () => {
          // Two faults at once may have separated a pair before.
          const alone = others.filter((other) => !this.#faultyServers.has(other))
          for (const other of alone) servers.separate(index, other)
          return () => {
            for (const other of alone) servers.join(index, other)
          }
        }
    }
  }

  async #during(name: string, begin: Fault, mostMs: number): Promise<void> {
    this.#note(name)
    const end = await begin()
    await this.#sleep(mostMs, 500)
    await end()
    this.#note(`end of ${name}`)
  }

  async #sleep(mostMs: number, leastMs = 200): Promise<void> {
    const ms = leastMs + this.#options.random.below(mostMs - leastMs)
    await sleep(clock, ms, this.#over.signal)
  }

  #shuffled<T>(values: readonly T[]): T[] {
    const left = [...values]
    const { random } = this.#options
    return values.map(() => left.splice(random.below(left.length), 1)[0]!)
  }

  #note(what: string): void {
    const seconds = (clock.monotonicMs() - this.#startedMs) / 1000
    this.timeline.push(`${seconds.toFixed(1)} s: ${what}`)
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted
  }
}
