// Watches of one member: who wants to hear of changes of which nodes. A watch stays until it is
// removed (ZooKeeper's persistent watches), and hears each event once, in the order of the tree.
// Costs an event whose path nobody watches one look-up for each component of the path.
//
// A listener is called synchronously. It may add and remove watches, its own and others: a removed
// one is not called again, one that was added hears only of later deliveries. It must not throw,
// and must not deliver.

import { assert } from '../../runtime/assert.ts'
import type { WatchListener, WatchMode } from '../coordination.ts'
import type { TreeEvent } from './operation.ts'
import { parentPath, rootPath } from './paths.ts'

class Registration {
  readonly listener: WatchListener
  /** Number of deliveries that had begun when the watch was added. */
  readonly addedIn: number
  isActive = true

  constructor(listener: WatchListener, addedIn: number) {
    this.listener = listener
    this.addedIn = addedIn
  }
}

type ByPath = Map<string, Set<Registration>>

export class Watches {
  readonly #nodes: ByPath = new Map()
  readonly #recursive: ByPath = new Map()
  #deliveries = 0
  #isDelivering = false

  /** Adds a watch, also of a node that does not exist. Returns a function that removes it. */
  add(path: string, mode: WatchMode, listener: WatchListener): () => void {
    const byPath = mode === 'node' ? this.#nodes : this.#recursive
    const registration = new Registration(listener, this.#deliveries)
    const registrations = byPath.get(path) ?? new Set()
    byPath.set(path, registrations.add(registration))
    return () => {
      registration.isActive = false
      registrations.delete(registration)
      if (registrations.size === 0 && byPath.get(path) === registrations) byPath.delete(path)
    }
  }

  /** Calls the listeners of each event, event by event. */
  deliver(events: readonly TreeEvent[]): void {
    assert(!this.#isDelivering, 'a listener must not deliver events')
    this.#isDelivering = true
    this.#deliveries++
    try {
      for (const event of events) this.#deliverEvent(event)
    } finally {
      this.#isDelivering = false
    }
  }

  #deliverEvent(event: TreeEvent): void {
    if (this.#nodes.size > 0) this.#deliverNode(event)
    if (this.#recursive.size > 0) this.#deliverRecursive(event)
  }

  #deliverNode(event: TreeEvent): void {
    this.#call(this.#nodes.get(event.path), event)
    if (event.type === 'changed' || event.path === rootPath) return
    this.#call(this.#nodes.get(parentPath(event.path)), event)
  }

  #deliverRecursive(event: TreeEvent): void {
    let path = event.path
    this.#call(this.#recursive.get(path), event)
    while (path !== rootPath) {
      path = parentPath(path)
      this.#call(this.#recursive.get(path), event)
    }
  }

  #call(registrations: ReadonlySet<Registration> | undefined, event: TreeEvent): void {
    if (registrations === undefined) return
    // A copy: a set visits what is added to it while it is visited.
    for (const registration of [...registrations]) {
      if (registration.isActive && registration.addedIn < this.#deliveries) {
        registration.listener.onEvent(event)
      }
    }
  }
}
