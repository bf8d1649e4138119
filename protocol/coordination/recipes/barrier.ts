// The double barrier of ZooKeeper's recipes: participants enter together, when `count` of them are
// there, and leave together, when all of them have left. The barrier can be used again.
//
// The data of the barrier's node says whether it is open, and is changed by its version: the
// transaction of one participant opens it, or closes it, and those of the others are refused. Those
// belong to a round whose node was created before it opened; one that comes later waits for the
// next round. A participant whose session ends has left, and does not count.
//
// Every participant reads all the others at every change: for tens of participants, not thousands.

import type { Clock } from '../../runtime/time/clock.ts'
import type { Coordination, Session } from '../coordination.ts'
import { TransactionError } from '../coordinationError.ts'
import type { NodeStat, Operation } from '../tree/operation.ts'
import { joinPath } from '../tree/paths.ts'
import { createInside, isOver, isRefusal, retryUntilKnown } from './retry.ts'

export interface BarrierOptions {
  readonly coordination: Coordination
  readonly clock: Clock
  /** Of this coordination. */
  readonly session: Session
  /** Node of the barrier; created with those above it if it does not exist. */
  readonly path: string
  /** Unique among the participants: the name of the participant's node. */
  readonly name: string
  /** Participants that have to be there. The same for all of them. */
  readonly count: number
}

interface Waiter {
  readonly isDone: () => boolean
  /** Whether it waits in vain. */
  readonly isGone: () => boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const open = Buffer.from('open')
const closed = Buffer.alloc(0)

export class DoubleBarrier {
  readonly #options: BarrierOptions
  readonly #participant: string
  #isProposing = false

  constructor(options: BarrierOptions) {
    this.#options = options
    this.#participant = joinPath(options.path, options.name)
  }

  /**
   * Resolves when `count` participants are there. Rejects with SESSION_EXPIRED when the session
   * ends or the participant's node is deleted before, and with NODE_EXISTS while another session
   * has this name.
   */
  async enter(): Promise<void> {
    await retryUntilKnown(this.#options.clock, () => this.#create())
    await this.#waitUntil(
      () => this.#isInRound(this.#exists(this.#participant)),
      () => this.#exists(this.#participant) === undefined,
    )
  }

  /**
   * Resolves when all who entered in this round have left, or their sessions have ended. Rejects
   * with SESSION_EXPIRED when the own session ends before.
   */
  async leave(): Promise<void> {
    const round = this.#openedZxid()
    const hasEntered = this.#isInRound(this.#exists(this.#participant))
    await retryUntilKnown(this.#options.clock, () => this.#delete())
    if (!hasEntered) return
    await this.#waitUntil(
      () => this.#openedZxid() !== round,
      () => false,
    )
  }

  async #create(): Promise<void> {
    const { coordination, session, path } = this.#options
    const kind = { data: closed, isEphemeral: true }
    try {
      await createInside(coordination, path, () =>
        session.transact([{ type: 'create', path: this.#participant, ...kind }]),
      )
    } catch (error) {
      const isOwn = this.#exists(this.#participant)?.ephemeralOwner === session.id
      if (!isRefusal(error, 'NODE_EXISTS') || !isOwn) throw error
    }
  }

  async #delete(): Promise<void> {
    try {
      await this.#options.session.transact([{ type: 'delete', path: this.#participant }])
    } catch (error) {
      if (!isRefusal(error, 'NO_NODE')) throw error
    }
  }

  /** Looks again at every change of the barrier, and moves it on when it is time. */
  async #waitUntil(isDone: () => boolean, isGone: () => boolean): Promise<void> {
    const { coordination, session, path } = this.#options
    let end = () => {}
    try {
      await new Promise<void>((resolve, reject) => {
        const waiter = { isDone, isGone, resolve, reject }
        const onEvent = () => this.#look(waiter)
        end = coordination.watch(path, 'node', { onEvent })
        void session.ended.then(() => reject(this.#ended()))
        this.#look(waiter)
      })
    } finally {
      end()
    }
  }

  #look(waiter: Waiter): void {
    if (waiter.isDone()) waiter.resolve()
    else if (waiter.isGone()) waiter.reject(this.#ended())
    else if (!this.#isProposing) void this.#moveOn(waiter)
  }

  /** Ignores events meanwhile: it looks again after every answer. */
  async #moveOn(waiter: Waiter): Promise<void> {
    this.#isProposing = true
    try {
      for (let change = this.#due(); change; change = this.#due()) await this.#propose(change)
    } catch (error) {
      if (!isOver(error)) throw error
      waiter.reject(error as Error)
    } finally {
      this.#isProposing = false
    }
    if (waiter.isDone()) waiter.resolve()
  }

  async #propose(change: Operation): Promise<void> {
    const { clock, session } = this.#options
    try {
      await retryUntilKnown(clock, () => session.transact([change]))
    } catch (error) {
      // Another participant changed the barrier first, or an earlier attempt of this one.
      if (!isRefusal(error, 'BAD_VERSION')) throw error
    }
  }

  /** The change of the barrier that is due, if any. */
  #due(): Operation | undefined {
    const stat = this.#exists(this.#options.path)
    if (stat === undefined) return undefined
    const participants = this.#participants()
    const { path, count } = this.#options
    const { version } = stat
    if (!isOpen(stat)) {
      return participants.length < count ? undefined : { type: 'set', path, data: open, version }
    }
    if (participants.some((each) => this.#isInRound(each))) return undefined
    return { type: 'set', path, data: closed, version }
  }

  #participants(): NodeStat[] {
    const { coordination, path } = this.#options
    const names = coordination.tree.children(path) ?? []
    return names.flatMap((name) => this.#exists(joinPath(path, name)) ?? [])
  }

  #isInRound(participant: NodeStat | undefined): boolean {
    const openedZxid = this.#openedZxid()
    if (participant === undefined || openedZxid === undefined) return false
    return participant.createdZxid < openedZxid
  }

  /** zxid at which the barrier was opened; undefined if it is closed. */
  #openedZxid(): number | undefined {
    const stat = this.#exists(this.#options.path)
    return stat && isOpen(stat) ? stat.modifiedZxid : undefined
  }

  #exists(path: string): NodeStat | undefined {
    return this.#options.coordination.tree.exists(path)
  }

  #ended(): TransactionError {
    const { id } = this.#options.session
    const message = `session ${id} has ended, or its node at the barrier was deleted`
    return new TransactionError('SESSION_EXPIRED', message, -1)
  }
}

function isOpen({ dataBytes }: NodeStat): boolean {
  return dataBytes > 0
}
