// A signal without a value: calls its listeners, in the order in which they were added. The first
// listener needs no collection: each of thousands of logs has one (its Partition), and few have
// more.

export type Listener = () => void

export class Signal {
  #first: Listener | undefined
  #others: Set<Listener> | undefined

  /** Returns a function that removes the listener. */
  add(listener: Listener): () => void {
    if (this.#first === undefined && !this.#others?.size) this.#first = listener
    else {
      this.#others ??= new Set()
      this.#others.add(listener)
    }
    return () => this.#remove(listener)
  }

  emit(): void {
    this.#first?.()
    if (this.#others) for (const listener of this.#others) listener()
  }

  #remove(listener: Listener): void {
    if (this.#first === listener) this.#first = undefined
    else this.#others?.delete(listener)
  }
}
