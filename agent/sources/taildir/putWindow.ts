// The puts in flight of one file, in order; after the first failure, no further put starts. The
// first put of a file runs alone: a channel without a position of the file cannot tell that bytes
// before a later put are missing, and would then drop the retried put as known.

import type { SourcePosition } from '../../channels/sourcePosition.ts'
import type { TailFile, TailPosition } from './tailFile.ts'

export class PutWindow {
  readonly #file: TailFile
  readonly #capacity: number
  readonly #puts: Promise<void>[] = []
  /** End of the last put, in order, that all channels accepted. */
  #accepted: TailPosition
  error: unknown
  putBytes = 0

  constructor(file: TailFile, capacity: number) {
    this.#file = file
    this.#capacity = capacity
    this.#accepted = file.position
  }

  /** Starts a put once there is room in the window; throws if an earlier put failed. */
  async add(position: SourcePosition, put: () => Promise<void>): Promise<void> {
    const capacity = this.#file.isKnown ? this.#capacity : 1
    while (this.#puts.length >= capacity) await this.#puts.shift()
    if (this.error !== undefined) throw this.error
    this.#puts.push(this.#track(position, put()))
  }

  /** Waits for all puts; throws if one failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#puts.splice(0))
    if (this.error !== undefined) throw this.error
  }

  /**
   * Called when the file restarts, with no put in flight: `finish` never moves it to before this
   * position.
   */
  begin(): void {
    this.#accepted = this.#file.position
  }

  /**
   * Waits for all puts; after a failure, moves the file back to the end of the last accepted put.
   */
  async finish(): Promise<void> {
    await Promise.all(this.#puts.splice(0))
    if (this.error !== undefined) this.#file.moveTo(this.#accepted)
  }

  async #track(position: SourcePosition, put: Promise<void>): Promise<void> {
    try {
      await put
      if (this.error !== undefined) return
      const { end, generation, fingerprint } = position
      this.#accepted = { offset: end, generation, fingerprint }
      this.#file.isKnown = true
      this.putBytes += position.end - position.start
    } catch (error) {
      this.error ??= error
    }
  }
}
