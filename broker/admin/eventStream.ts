// Server-sent events to the open pages: everyone gets the whole board first, then one tick a second.
// A page that does not read gets no queue of its own: ticks are left out until it has caught up, and
// then it gets the whole board again.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Board, HistoryPoint } from './board.ts'

/** One open page, as far as this file cares. `write` says false when the page is behind. */
export interface EventSink {
  write(text: string): boolean
}

/** Most pages open at once; each costs a socket and one write a second. */
export const mostPages = 100

export class EventStream {
  readonly #board: Board
  /** The open pages, each with whether it has what every earlier tick said. */
  readonly #pages = new Map<EventSink, { behind: boolean }>()
  #lastId = 0

  constructor(board: Board) {
    this.#board = board
  }

  get isFull(): boolean {
    return this.#pages.size >= mostPages
  }

  /** Not to be called when `isFull`. */
  open(page: EventSink, nowMs: number): void {
    assert(!this.isFull, 'too many pages are open')
    this.#pages.set(page, { behind: !page.write(this.#whole(nowMs)) })
  }

  close(page: EventSink): void {
    this.#pages.delete(page)
  }

  /** The page has read what it had: it gets the whole board, having missed ticks. */
  drained(page: EventSink, nowMs: number): void {
    const state = this.#pages.get(page)
    if (state?.behind) state.behind = !page.write(this.#whole(nowMs))
  }

  tick(point: HistoryPoint): void {
    this.#lastId++
    if (this.#pages.size === 0) return
    const text = this.#event('tick', { picture: this.#board.picture(point.timeMs), point })
    for (const [page, state] of this.#pages) {
      if (!state.behind) state.behind = !page.write(text)
    }
  }

  #whole(nowMs: number): string {
    const { history } = this.#board
    return this.#event('board', { picture: this.#board.picture(nowMs), history })
  }

  #event(name: string, data: object): string {
    return `id: ${this.#lastId}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
  }
}
