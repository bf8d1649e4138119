// A lock for processes: who waits for it queues (queuePlace.ts), the first one holds it.
//
// A lock that is held by a session cannot keep a paused process from acting: between its check of
// `isHeld` and what it does then, the session may expire and another may hold the lock. So what is
// done under the lock has to carry the fencing token, and whoever receives it has to refuse a token
// lower than one seen before. The token of each holder is greater than that of all before it.

import type { Session } from '../coordination.ts'
import { TransactionError } from '../coordinationError.ts'
import { type QueueOptions, QueuePlace } from './queuePlace.ts'

export interface HeldLock {
  /** createdZxid of the holder's node. */
  readonly fencingToken: number
  /** Whether the lock is certainly held. False may become true again, unless it has ended. */
  readonly isHeld: boolean
  /** Resolves when it was released, the session has ended, or somebody deleted the node. */
  readonly ended: Promise<void>
  /** Resolves when the next one can hold the lock. */
  release(): Promise<void>
}

export class Lock {
  readonly #options: QueueOptions

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /**
   * Resolves when the lock is held. Rejects with SESSION_EXPIRED when the session ends before, and
   * with the reason of `signal` when that aborts: the place in the queue is given up then. A
   * session that acquires a lock that it holds waits for itself.
   */
  async acquire(session: Session, signal?: AbortSignal): Promise<HeldLock> {
    signal?.throwIfAborted()
    const taking = QueuePlace.take({ ...this.#options, session, data: Buffer.alloc(0) })
    const acquiring = taking.then((place) => acquired(place, session))
    if (signal === undefined) return acquiring
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        // If it could not be taken, there is nothing to give up.
        taking.then(
          (place) => place.leave(),
          () => undefined,
        )
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const settle = () => signal.removeEventListener('abort', onAbort)
      acquiring.finally(settle).then(resolve, reject)
    })
  }
}

/** Resolves when the place is the first one of a session that is certain. */
function acquired(place: QueuePlace, session: Session): Promise<HeldLock> {
  return new Promise((resolve, reject) => {
    const lock = new PlaceLock(place, session)
    const update = () => {
      if (!lock.isHeld) return
      endCertain()
      resolve(lock)
    }
    const endCertain = session.onCertain(update)
    place.follow({
      onFirst: update,
      // Also later, when the lock was acquired: then only `ended` tells of it.
      onEnd: () => {
        endCertain()
        lock.end()
        reject(gone(session))
      },
    })
  })
}

class PlaceLock implements HeldLock {
  readonly fencingToken: number
  readonly ended: Promise<void>
  readonly #place: QueuePlace
  readonly #session: Session
  #resolveEnded!: () => void

  constructor(place: QueuePlace, session: Session) {
    this.fencingToken = place.createdZxid
    this.#place = place
    this.#session = session
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
  }

  get isHeld(): boolean {
    return this.#place.isFirst && this.#session.isCertain
  }

  release(): Promise<void> {
    return this.#place.leave()
  }

  end(): void {
    this.#resolveEnded()
  }
}

function gone(session: Session): TransactionError {
  const message = `session ${session.id} has ended, or its place in the queue was deleted`
  return new TransactionError('SESSION_EXPIRED', message, -1)
}
