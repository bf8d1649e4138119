// One process with a member of coordination: opens it over the simulated log, patiently, and gives
// it to the clients of the process. What has to hold for a member at every moment is asked here.

import type { Coordination, Session } from '../../../../protocol/coordination/coordination.ts'
import { CoordinationError } from '../../../../protocol/coordination/coordinationError.ts'
import { openMember } from '../../../../protocol/coordination/member/member.ts'
import type { LeaderElection } from '../../../../protocol/coordination/recipes/leaderElection.ts'
import type { HeldLock } from '../../../../protocol/coordination/recipes/lock.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../../protocol/telemetry/logging/logger.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import { Client, type ClientProgram, isClosed, type Shared } from './clients/client.ts'
import { RemoteLog } from './log/remoteLog.ts'
import { TreeMirror } from './treeMirror.ts'

export const memberProcess = 'member'
export const copyDirectory = '/coordination'

/** Pause before a member is opened again that could not be opened, in ms. */
const reopenMs = 300

export interface NodeClient {
  readonly name: string
  readonly program: ClientProgram
}

export class MemberNode {
  readonly process: SimulatedProcess
  readonly shared: Shared
  readonly #logger: Logger
  /** Those opened by clients that have not ended, by id. */
  readonly sessions = new Map<string, Session>()
  readonly elections = new Set<LeaderElection>()
  readonly locks = new Map<HeldLock, string>()
  #log: RemoteLog | undefined
  member: Coordination | undefined
  mirror: TreeMirror | undefined
  /** Clients that work. */
  working = 0
  isStopping = false
  #eventsBefore = 0

  constructor(process: SimulatedProcess, shared: Shared, logger: Logger) {
    this.process = process
    this.shared = shared
    this.#logger = logger
  }

  get host(): string {
    return this.process.host.name
  }

  /** The last entry that the member certainly has. */
  get sequence(): number {
    return this.#log?.sequence ?? 0
  }

  /** The entry that the member was given. */
  given(sequence: number): Uint8Array | undefined {
    return this.#log?.given(sequence)
  }

  /** The entry whose snapshot the member began with. */
  get beganAt(): number {
    return this.#log?.beganAt ?? 0
  }

  async run(clients: readonly NodeClient[]): Promise<void> {
    const member = await this.#open()
    this.member = member
    const violate = (name: string, message: string) =>
      this.shared.violate(name, `${this.process.name}: ${message}`)
    this.mirror = new TreeMirror(member, violate)
    this.#watchStatus(member)
    this.working = clients.length
    for (const client of clients) void this.#work(member, client)
  }

  /** In its own orderly way. */
  stop(): void {
    if (this.isStopping) return
    this.isStopping = true
    if (this.member === undefined) this.process.exit()
    else void this.member.close().then(() => this.process.exit())
  }

  /** Compares the tree with the mirror of its watch, and hands it to the comparison at the end. */
  audit(): void {
    if (this.member === undefined || this.isStopping) return
    const digest = this.mirror!.compare()
    this.shared.reference.observed(this.process.name, this.member.tree.zxid, digest)
  }

  async #work(member: Coordination, { name, program }: NodeClient): Promise<void> {
    const client = new Client(this, member, `${this.process.name}/${name}`)
    try {
      await program(client)
    } catch (error) {
      // The process stops.
      if (!isClosed(error)) throw error
    }
    this.working--
  }

  async #open(): Promise<Coordination> {
    const { process, shared } = this
    const { runtime, host, openStore } = process
    const { keepsCopy, ...limits } = shared.parameters.member
    for (;;) {
      const log = this.#newLog()
      this.#log = log
      try {
        return await openMember({
          ...{ log, ...runtime, ...limits, logger: this.#logger, name: host.name },
          ...(keepsCopy && { copy: { directory: copyDirectory, openStore } }),
        })
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error
        await log.close()
        shared.reached(`open: ${error.code}`)
        await sleep(runtime.clock, reopenMs)
      }
    }
  }

  #newLog(): RemoteLog {
    const { process, shared } = this
    return new RemoteLog({
      ...{ process, server: shared.log, wire: shared.wire, parameters: shared.parameters.log },
      reached: shared.reached,
      onAppend: () => this.#checkAppend(),
      onForeign: (sequence) => this.#checkForeign(sequence),
      onSkip: (isSkipping) => this.#onSkip(isSkipping),
    })
  }

  #checkAppend(): void {
    if (this.member?.status !== 'damaged') return
    this.shared.violate(
      'change after damage',
      `${this.process.name} appends although it is damaged`,
    )
  }

  #checkForeign(sequence: number): void {
    if (this.member === undefined || this.member.status === 'damaged') return
    this.shared.violate('folded what does not follow', `${this.process.name}: entry ${sequence}`)
  }

  #onSkip(isSkipping: boolean): void {
    const events = this.mirror?.events ?? 0
    if (isSkipping) this.#eventsBefore = events
    else if (events > this.#eventsBefore) this.shared.reached('watch: bridged by a snapshot')
  }

  #watchStatus(member: Coordination): void {
    const note = () => {
      const { problem } = member
      const why = problem === undefined ? '' : `: ${problem}`
      this.shared.note(this.process.name, `${member.status}${why}`)
      this.shared.reached(`status: ${member.status}`)
      if (member.status === 'damaged') this.#noteDamage(problem ?? '')
    }
    member.onStatus(note)
    if (member.status !== 'connected') note()
    if (member.status === 'damaged') this.shared.reached('damage: noticed at a start')
  }

  #noteDamage(problem: string): void {
    for (const [words, how] of damages) {
      if (!problem.includes(words)) continue
      this.shared.reached(`damage: noticed ${how}`)
      return
    }
    this.shared.reached('damage: noticed otherwise')
  }
}

/** Words of the problems of a member, and what they mean. */
const damages = [
  ['than this process: the log forked', 'through a claim'],
  ['but the log ends at entry', 'through a claim that is ahead'],
  ['was written after an entry', 'through the chain'],
  ['the snapshot at entry', 'through a snapshot'],
  ['created anew with the id', 'as another log'],
  ['its last entry is', 'as a loss'],
  ['so it has lost entries', 'at an append'],
  ['is malformed', 'at a malformed entry'],
  ['than this process has folded', 'through an entry that was folded'],
  ['this process has entry', 'by what was kept'],
  ['which this process has followed', 'by what was kept'],
  ['than this process has kept', 'by what was kept'],
] as const
