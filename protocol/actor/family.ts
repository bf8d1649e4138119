// How actors look to one another in the tree: to their parent, their siblings and their watchers.

import type { StopReason, Terminated } from './behavior.ts'
import type { EscalatedError } from './failures.ts'
import type { Watcher } from './incarnation.ts'
import type { StopMailbox } from './lifecycle.ts'
import type { RestartRound, RoundMember } from './restartRound.ts'

/** Whoever has children: an actor, or the system for those at the top. */
export interface Parent {
  readonly path: string
  /** Living children by name, in the order of spawning. */
  readonly children: ReadonlyMap<string, Child> & Pick<Map<string, Child>, 'set' | 'delete'>
  /** A child failed, and that is the parent's failure now. */
  childEscalated(error: EscalatedError): void
}

export interface Child extends RoundMember {
  readonly path: string
  readonly parent: Parent
  readonly children: ReadonlyMap<string, Child>
  readonly isStopping: boolean
  /** Messages accepted and not yet handled. */
  readonly queued: number
  /** Resolves when the actor is gone for good. */
  readonly stopped: Promise<Terminated>
  /** Ends its incarnation for a restart together with the other members. */
  join(round: RestartRound): void
  /** Begins to stop, or hurries when it stops already; `stopped` tells the end. */
  requestStop(mailbox: StopMailbox, reason: StopReason, error?: Error): void
  /** The watcher hears at once when the actor has stopped already. */
  addWatcher(watcher: Watcher): void
  removeWatcher(watcher: Watcher): void
}

/** Stops all children one after another, the last spawned first. */
export async function stopChildren(parent: Parent, mailbox: StopMailbox): Promise<void> {
  for (const child of [...parent.children.values()].reverse()) {
    child.requestStop(mailbox, 'stopped')
    await child.stopped
  }
}

/** Everyone below, parents before their children. */
export function* descendants(of: Pick<Child, 'children'>): Generator<Child> {
  for (const child of of.children.values()) {
    yield child
    yield* descendants(child)
  }
}
