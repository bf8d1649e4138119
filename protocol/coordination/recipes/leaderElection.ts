// Leader election: candidates queue (queuePlace.ts), the first one leads. The epoch of a leadership
// is the createdZxid of the leader's node: greater than that of every leader before, also after a
// repair of the log.
//
// A leader must stop deciding when it is told that it lost, and nothing that is told can reach a
// process that is paused: it may act once more after its check, when another already leads. So
// everything that a leader writes has to carry its epoch, and whoever receives it has to refuse an
// epoch lower than one seen before. Leadership of one epoch may be lost and regained: a session
// that was not certain for a while is certain again.

import type { Coordination } from '../coordination.ts'
import { firstPlace, type PlaceOptions, QueuePlace } from './queuePlace.ts'

export interface ElectionListener {
  /**
   * Leads from now on. Called again, with the same epoch, when leadership was lost and regained.
   */
  onElected(epoch: number): void
  /** Does not lead any more, or not certainly. */
  onLost(): void
  /** The candidacy is over: by `resign`, with the session, or by a deletion of the node. */
  onEnded(): void
}

export class LeaderElection {
  /**
   * Becomes a candidate; `data` says who it is. Rejects with SESSION_EXPIRED when the session has
   * ended, and waits while the log cannot be reached. The listener may be called before it
   * resolves.
   */
  static async join(options: PlaceOptions, listener: ElectionListener): Promise<LeaderElection> {
    return new LeaderElection(options, listener, await QueuePlace.take(options))
  }

  readonly #options: PlaceOptions
  readonly #listener: ElectionListener
  readonly #place: QueuePlace
  readonly #endCertain: () => void
  #isElected = false

  private constructor(options: PlaceOptions, listener: ElectionListener, place: QueuePlace) {
    this.#options = options
    this.#listener = listener
    this.#place = place
    this.#endCertain = options.session.onCertain(() => this.#update())
    place.follow({
      onFirst: () => this.#update(),
      onEnd: () => this.#end(),
    })
  }

  /** Epoch of the leadership; undefined while this candidate does not certainly lead. */
  get epoch(): number | undefined {
    const { session } = this.#options
    return this.#place.isFirst && session.isCertain ? this.#place.createdZxid : undefined
  }

  /** Gives up leadership or candidacy. Resolves when the next candidate can lead. */
  resign(): Promise<void> {
    return this.#place.leave()
  }

  #end(): void {
    this.#endCertain()
    this.#update()
    this.#listener.onEnded()
  }

  #update(): void {
    const { epoch } = this
    if (this.#isElected === (epoch !== undefined)) return
    this.#isElected = epoch !== undefined
    if (epoch !== undefined) this.#listener.onElected(epoch)
    else this.#listener.onLost()
  }
}

export interface Leader {
  readonly epoch: number
  /** What the leader joined with. */
  readonly data: Uint8Array
}

/**
 * Calls back with who leads, now and whenever that changes; undefined while nobody does. May be
 * behind, and the leader that is named may not be certain of its session. Returns a function that
 * ends it.
 */
export function observeLeader(
  coordination: Coordination,
  path: string,
  onLeader: (leader: Leader | undefined) => void,
): () => void {
  let epoch: number | undefined
  const onEvent = () => {
    const leader = leaderOf(coordination, path)
    if (leader?.epoch === epoch) return
    epoch = leader?.epoch
    onLeader(leader)
  }
  const end = coordination.watch(path, 'node', { onEvent })
  const leader = leaderOf(coordination, path)
  epoch = leader?.epoch
  onLeader(leader)
  return end
}

function leaderOf({ tree }: Coordination, path: string): Leader | undefined {
  const place = firstPlace(tree, path)
  const node = place && tree.get(place.path)
  return node && { epoch: node.stat.createdZxid, data: node.data }
}
