// Puts of one file in flight, in order; after the first failure nothing more is put. The first put of
// a file is alone: a channel that knows nothing of the file cannot tell that bytes before a later put
// are missing, and would take what is put again for known.

import type { SourcePosition } from '../../channels/sourcePosition.ts'
import type { TailFile, TailPosition } from './tailFile.ts'

export class PutWindow {
  readonly #file: TailFile
  readonly #capacity: number
  readonly #puts: Promise<void>[] = []
  /** Up to where all channels have the file. */
  #accepted: TailPosition
  error: unknown
  putBytes = 0

  constructor(file: TailFile, capacity: number) {
    this.#file = file
    this.#capacity = capacity
    this.#accepted = file.position
  }

  /** Starts a put once there is room; throws when an earlier one failed. */
  async add(position: SourcePosition, put: () => Promise<void>): Promise<void> {
    const capacity = this.#file.isKnown ? this.#capacity : 1
    while (this.#puts.length >= capacity) await this.#puts.shift()
    if (this.error !== undefined) throw this.error
    this.#puts.push(this.#track(position, put()))
  }

  /** Waits for all puts; throws when one failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#puts.splice(0))
    if (this.error !== undefined) throw this.error
  }

  /** The file begins anew, with no put in flight: it does not go back behind that. */
  begin(): void {
    this.#accepted = this.#file.position
  }

  /** Waits for all puts; after a failure the file goes back to where the last accepted one ended. */
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
