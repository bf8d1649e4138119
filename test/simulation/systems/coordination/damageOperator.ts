// Damages the log once in a run, and repairs it from what a process kept: as an operator would who
// stops that process for it. Between the two the members that can notice it have to.

import type { LogEntry, LogHistory } from '../../../../protocol/coordination/log/coordinationLog.ts'
import { readLocalCopy } from '../../../../protocol/coordination/log/localCopy.ts'
import { repairedHistory } from '../../../../protocol/coordination/member/repair.ts'
import { isOperational } from '../../../../protocol/runtime/operational.ts'
import type { SimulatedHost } from '../../world/simulatedHost.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { World } from '../../world/world.ts'
import type { Shared } from './clients/client.ts'
import type { Damage } from './coordinationParameters.ts'
import { copyDirectory, type MemberNode, memberProcess } from './memberNode.ts'
import { treeDigest } from './treeDigest.ts'

export interface DamageOptions {
  readonly world: World
  readonly hosts: ReadonlyMap<string, SimulatedHost>
  readonly shared: Shared
  readonly plan: Damage | undefined
  readonly nodes: () => readonly MemberNode[]
  readonly startMember: (host: SimulatedHost) => void
}

/** Time in which every member notices a damage while nothing else is broken, in ms. */
const noticeMs = 20_000
const retryMs = 500
const longestSessionMs = 10_000

export class DamageOperator {
  readonly #options: DamageOptions
  /** The log as it was, in case that no process has kept anything. */
  #backup: LogHistory | undefined
  /** Those who had what the damage took away. */
  #witnesses: readonly { readonly process: SimulatedProcess; readonly sequence: number }[] = []
  /** The lost entries were appended again up to here, by members that had no answer for them. */
  #restoredTo = 0
  /** Those who had opened a member then. */
  #present: readonly SimulatedProcess[] = []
  #repairing: SimulatedHost | undefined
  #isHealed = false
  /** Whether there was a damage in this run. */
  hasBeen = false
  /** Time from which on leaders are judged again. */
  judgedFromMs = 0

  constructor(options: DamageOptions) {
    this.#options = options
  }

  schedule(): void {
    const { plan } = this.#options
    if (plan === undefined) return
    this.#later(plan.atMs, () => {
      if (!this.#isHealed) this.#damage(plan)
    })
  }

  /** Nothing else is broken from now on. */
  heal(): void {
    this.#isHealed = true
    this.#options.shared.log.forkNever()
    if (this.#options.shared.era % 2 === 0 || this.#repairing !== undefined) return
    this.#later(noticeMs, () => {
      this.#checkNoticed()
      if (this.#isDamaged) this.#repair(0)
    })
  }

  /** An entry took effect in the damaged log. */
  appended({ sequence, bytes }: LogEntry): void {
    if (!this.#isDamaged || sequence !== this.#restoredTo + 1) return
    const lost = this.#backup?.entries.find((entry) => entry.sequence === sequence)
    if (lost !== undefined && Buffer.from(lost.bytes).equals(bytes)) this.#restoredTo = sequence
  }

  /** Whether the processes of the host stay down for the repair. */
  isRepairing(host: SimulatedHost): boolean {
    return this.#repairing === host
  }

  get #isDamaged(): boolean {
    return this.#options.shared.era % 2 === 1
  }

  #damage(plan: Damage): void {
    const { log } = this.#options.shared
    this.#backup = log.state.history()
    const before = log.state.lastSequence
    switch (plan.kind) {
      case 'fork':
        log.forkNext(() => this.#struck(plan, before))
        break
      case 'recreate':
        log.recreate()
        this.#struck(plan, before)
        break
      case 'loseSuffix':
        if (log.loseSuffix(plan.count) > 0) this.#struck(plan, before)
    }
  }

  #struck(plan: Damage, before: number): void {
    const { shared, nodes } = this.#options
    const { log, reference } = shared
    const lost = log.state.lastSequence
    this.#restoredTo = lost
    this.hasBeen = true
    reference.isSuspended = true
    shared.era++
    shared.note('fault', `damage: ${plan.kind}, the log ended at ${before} and ends at ${lost}`)
    shared.reached(`damage: ${plan.kind}`)
    const present = nodes().filter(({ process, member }) => process.isAlive && member !== undefined)
    this.#present = present.map(({ process }) => process)
    this.#witnesses = present
      .filter(({ sequence }) => sequence > lost)
      .map(({ process, sequence }) => ({ process, sequence }))
    this.#later(plan.repairAfterMs, () => {
      if (this.#isDamaged && !this.#isHealed) this.#repair(0)
    })
  }

  /**
   * A witness tells all who were there, directly or by what it claims: unless they came later, or
   * began with a snapshot that hides the damage.
   */
  #checkNoticed(): void {
    const { plan, nodes, shared } = this.#options
    if (!this.#isDamaged) return
    this.#checkAlike()
    if (plan?.kind === 'fork') return
    const alive = this.#witnesses.filter(
      ({ process, sequence }) => process.isAlive && sequence > this.#restoredTo,
    )
    const known = Math.max(-1, ...alive.map(({ sequence }) => sequence))
    for (const node of nodes()) {
      const { process, member, beganAt } = node
      const canKnow = beganAt <= known && !this.#hasLost(node)
      const isJudged = plan?.kind === 'recreate' ? alive.length > 0 : canKnow
      if (!isJudged || !this.#present.includes(process) || member?.status === 'damaged') continue
      const message = `${process.name} is ${member?.status} long after the damage`
      shared.violate('damage not noticed', message)
    }
  }

  /**
   * Whether the member has what was lost: late requests took its place, and nobody can see that
   * whose own entries are the old ones.
   */
  #hasLost(node: MemberNode): boolean {
    const sequence = this.#restoredTo + 1
    const lost = this.#backup?.entries.find((entry) => entry.sequence === sequence)
    const given = node.given(sequence)
    return given !== undefined && lost !== undefined && Buffer.from(lost.bytes).equals(given)
  }

  /** Members that noticed nothing have one tree: otherwise the log forked between them. */
  #checkAlike(): void {
    const digests = new Map<number, number>()
    for (const { process, member } of this.#options.nodes()) {
      if (!process.isAlive || member?.status !== 'connected') continue
      const { zxid } = member.tree
      const { digest } = treeDigest(member.tree)
      if (digest === (digests.get(zxid) ?? digest)) digests.set(zxid, digest)
      else this.#options.shared.violate('fork not noticed', `${process.name} at ${zxid}`)
    }
  }

  #repair(attempt: number): void {
    const { hosts, plan } = this.#options
    const names = [...hosts.keys()].filter((name) => hosts.get(name)!.name !== 'log')
    const first = names.indexOf(plan!.chosen)
    const host = hosts.get(names[(first + attempt) % names.length]!)!
    const hasCopies = this.#options.shared.parameters.member.keepsCopy
    if (!hasCopies || attempt >= 2 * names.length) this.#adopt(this.#backup!, host, 'a backup')
    else if (!host.isOn) this.#later(retryMs, () => this.#repair(attempt + 1))
    else this.#repairAt(host, attempt)
  }

  #repairAt(host: SimulatedHost, attempt: number): void {
    this.#repairing = host
    host.process(memberProcess)?.kill()
    host.start(
      'repair',
      async (process) => {
        const kept = await this.#copyOf(process)
        if (kept === undefined) process.exit()
        else this.#adopt(kept, host, 'the copy of a process')
        process.exit()
      },
      {
        onEnd: () => {
          this.#repairing = undefined
          if (this.#isDamaged) this.#later(retryMs, () => this.#repair(attempt + 1))
          if (host.isOn) this.#options.startMember(host)
        },
      },
    )
  }

  async #copyOf(process: SimulatedProcess): Promise<LogHistory | undefined> {
    try {
      return await readLocalCopy(copyDirectory, process.openStore)
    } catch (error) {
      if (!isOperational(error)) throw error
      this.#options.shared.note(process.name, `no copy: ${(error as Error).message}`)
      return undefined
    }
  }

  #adopt(kept: LogHistory, host: SimulatedHost, source: string): void {
    const { shared, world } = this.#options
    const history = repairedHistory(kept, world.random.fork('repair'))
    shared.log.repair(history)
    shared.reference.begin(history)
    shared.era++
    // Whoever noticed nothing may lead in the damaged log until the repair is noticed.
    this.judgedFromMs = world.nowMs + longestSessionMs
    shared.reached(`repair: from ${source}`)
    shared.note('operator', `the log is repaired from ${source} at ${host.name}`)
  }

  #later(delayMs: number, run: () => void): void {
    this.#options.world.schedule(delayMs, this.#options.world, 'operator', 'damage', run)
  }
}
