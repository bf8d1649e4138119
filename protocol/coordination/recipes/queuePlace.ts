// A place in a queue of sessions, as leaderElection.ts and lock.ts need it: ZooKeeper's recipe with
// an ephemeral sequential node for each place. A place watches only the one before it, so that a
// place that becomes free wakes one other and not all.
//
// The first place is the one that was created first (least createdZxid). That is decided by the
// order of the log and not by a read that may be stale: the tree has every node that was created
// before this place's node as soon as it has this one, and none can be put before it later. What a
// read may miss is the end of the own node; for that see Session.isCertain.
//
// A creation whose outcome is unknown is repeated, so a place has a random id in the name of its
// node, by which what earlier attempts have created is found and deleted. Must never leave a node
// behind in a session that goes on: it would block the queue.

import { type Random, randomUuid, uuidText } from '../../runtime/random.ts'
import type { Clock } from '../../runtime/time/clock.ts'
import type { Coordination, Session, TreeReader } from '../coordination.ts'
import type { TreeEvent } from '../tree/operation.ts'
import { joinPath } from '../tree/paths.ts'
import { createInside, isOver, isRefusal, retryUntilKnown } from './retry.ts'

export interface QueueOptions {
  readonly coordination: Coordination
  readonly clock: Clock
  readonly random: Random
  /** Node of the queue; created with those above it if it does not exist. */
  readonly path: string
}

export interface PlaceOptions extends QueueOptions {
  /** Of this coordination. */
  readonly session: Session
  /** For others to read. */
  readonly data: Uint8Array
}

export interface PlaceListener {
  /** The place is the first one, and will be while its node exists. Called once. */
  onFirst(): void
  /** The place was left, its node was deleted, or the session has ended. Called once. */
  onEnd(): void
}

interface PlaceNode {
  readonly path: string
  readonly createdZxid: number
}

const infix = '-n-'

export class QueuePlace {
  /** Joins the queue. Waits while the log cannot be reached. Rejects when the session has ended. */
  static async take(options: PlaceOptions): Promise<QueuePlace> {
    const id = uuidText(randomUuid(options.random))
    await retryUntilKnown(options.clock, () => createNode(options, id))
    const node = firstOf(nodesOf(options, id))
    // Somebody may have deleted it as soon as it was created.
    return node === undefined ? QueuePlace.take(options) : new QueuePlace(options, id, node)
  }

  /** Unique to this place, and greater than those of all places before it: a fencing epoch. */
  readonly createdZxid: number
  readonly #options: PlaceOptions
  readonly #id: string
  readonly #path: string
  readonly #ends: (() => void)[] = []
  #listener: PlaceListener | undefined
  #endPredecessor: (() => void) | undefined
  #isFirst = false
  #isOver = false
  #left: Promise<void> | undefined

  private constructor(options: PlaceOptions, id: string, { path, createdZxid }: PlaceNode) {
    this.#options = options
    this.#id = id
    this.#path = path
    this.createdZxid = createdZxid
    // More than one node if an attempt took effect that was answered as unavailable.
    if (nodesOf(options, id).length > 1) void removeNodes(options, id, path)
  }

  /** Whether the place is the first one, as far as this member knows. */
  get isFirst(): boolean {
    return this.#isFirst && !this.#isOver
  }

  /** Tells the listener from now on; at once, if the place is the first one or has ended. */
  follow(listener: PlaceListener): void {
    const { coordination, session } = this.#options
    this.#listener = listener
    const onEvent = () => this.#check()
    this.#ends.push(coordination.watch(this.#path, 'node', { onEvent }))
    void session.ended.then(() => this.#end())
    this.#check()
  }

  /** Deletes the node. Resolves when that is certain, or the session has ended. */
  leave(): Promise<void> {
    this.#end()
    this.#left ??= removeNodes(this.#options, this.#id, undefined)
    return this.#left
  }

  #check(): void {
    if (this.#isOver) return
    const { tree } = this.#options.coordination
    if (tree.exists(this.#path)?.createdZxid !== this.createdZxid) this.#end()
    else if (!this.#isFirst) this.#checkPredecessor()
  }

  #checkPredecessor(): void {
    const { coordination, path } = this.#options
    this.#endPredecessor?.()
    this.#endPredecessor = undefined
    const before = lastOf(placesOf(coordination.tree, path).filter((each) => this.#isBefore(each)))
    if (before === undefined) {
      this.#isFirst = true
      const onEvent = (event: TreeEvent) => this.#checkReturned(event)
      this.#ends.push(coordination.watch(path, 'node', { onEvent }))
      this.#listener?.onFirst()
      return
    }
    const onEvent = () => this.#check()
    this.#endPredecessor = coordination.watch(before.path, 'node', { onEvent })
  }

  /**
   * A repair of the log may take back that places before this one were left: then this one is not
   * the first any more, and is given up.
   */
  #checkReturned({ type, path }: TreeEvent): void {
    const createdZxid = this.#options.coordination.tree.exists(path)?.createdZxid
    if (type !== 'created' || createdZxid === undefined || path === this.#options.path) return
    if (this.#isBefore({ path, createdZxid })) void this.leave()
  }

  #isBefore({ createdZxid }: PlaceNode): boolean {
    return createdZxid < this.createdZxid
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#endPredecessor?.()
    for (const end of this.#ends) end()
    this.#listener?.onEnd()
  }
}

/** The node of the first place of a queue. */
export function firstPlace(tree: TreeReader, queue: string): PlaceNode | undefined {
  return firstOf(placesOf(tree, queue))
}

async function createNode(options: PlaceOptions, id: string): Promise<void> {
  const { coordination, session, path, data } = options
  const prefix = joinPath(path, id + infix)
  const kind = { isEphemeral: true, isSequential: true }
  await createInside(coordination, path, () =>
    session.transact([{ type: 'create', path: prefix, data, ...kind }]),
  )
}

/** Deletes the nodes of an id but for one. If the session or the member ends, they do as well. */
async function removeNodes(
  options: PlaceOptions,
  id: string,
  kept: string | undefined,
): Promise<void> {
  const { session, clock } = options
  try {
    for (const { path } of nodesOf(options, id)) {
      if (path !== kept) await retryUntilKnown(clock, () => deleteNode(session, path))
    }
  } catch (error) {
    if (!isOver(error)) throw error
  }
}

async function deleteNode(session: Session, path: string): Promise<void> {
  try {
    await session.transact([{ type: 'delete', path }])
  } catch (error) {
    if (!isRefusal(error, 'NO_NODE')) throw error
  }
}

function nodesOf({ coordination, path }: QueueOptions, id: string): PlaceNode[] {
  const prefix = joinPath(path, id + infix)
  return placesOf(coordination.tree, path).filter((each) => each.path.startsWith(prefix))
}

/** Nodes in the queue that are no places are ignored: somebody made them by hand. */
function placesOf(tree: TreeReader, queue: string): PlaceNode[] {
  const names = tree.children(queue) ?? []
  const nodes = names
    .filter((name) => name.includes(infix))
    .map((name) => {
      const path = joinPath(queue, name)
      return { path, stat: tree.exists(path) }
    })
  return nodes.flatMap(({ path, stat }) =>
    stat?.ephemeralOwner === undefined ? [] : [{ path, createdZxid: stat.createdZxid }],
  )
}

function firstOf(places: readonly PlaceNode[]): PlaceNode | undefined {
  return places.toSorted((one, other) => one.createdZxid - other.createdZxid)[0]
}

function lastOf(places: readonly PlaceNode[]): PlaceNode | undefined {
  return places.toSorted((one, other) => other.createdZxid - one.createdZxid)[0]
}
