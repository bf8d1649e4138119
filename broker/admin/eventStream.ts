// Server-sent events to the open pages. A page gets the whole board once, when it connects, and from
// then on at most one event a second: the newest picture, with the points of the history that it does
// not have yet. A page is written to only by `open` and `tick`, never because it has read something, so
// a slow page costs less than a fast one and none can make the stream feed itself.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Board } from './board/board.ts'
import type { HistoryEnd } from './board/history.ts'

/** One open page, as far as this file cares. */
export interface EventSink {
  /**
   * Takes all of `text` and says whether it wants more now. False is no failure: the text is sent, and
   * `drained` is called when it has been.
   */
  write(text: string): boolean
  /** Closes the connection; the browser opens another one. */
  drop(): void
}

/** Most pages open at once; each costs a socket, at most one event in memory, and a write a second. */
export const mostPages = 100
/**
 * A page that has not taken its last event for so many ticks is dropped. A page that reads slowly is
 * not: a system says that it can send again only when a third of its buffer, up to a megabyte, is free.
 */
export const mostTicksBehind = 120

interface OpenPage {
  /** What the page has of the history, once it has read all that was written. */
  end: HistoryEnd
  /** Ticks since a write returned false; undefined while the page wants more. */
  behind: number | undefined
}

export class EventStream {
  readonly #board: Board
  readonly #pages = new Map<EventSink, OpenPage>()
  #ticks = 0
  /** The whole board as of the newest tick, kept for pages that open before the next. */
  #whole: string | undefined

  constructor(board: Board) {
    this.#board = board
  }

  get isFull(): boolean {
    return this.#pages.size >= mostPages
  }

  get openPages(): number {
    return this.#pages.size
  }

  /** Sends the whole board. Not to be called when `isFull`. */
  open(page: EventSink): void {
    assert(!this.isFull, 'too many pages are open')
    const { history, picture } = this.#board
    this.#whole ??= this.#event('board', {
      picture,
      recent: history.recent,
      older: history.older,
    })
    this.#pages.set(page, { end: history.end, behind: page.write(this.#whole) ? undefined : 0 })
  }

  close(page: EventSink): void {
    this.#pages.delete(page)
  }

  /** The page has taken all that was written; the next tick brings what it missed. */
  drained(page: EventSink): void {
    const state = this.#pages.get(page)
    if (state) state.behind = undefined
  }

  /** Sends the board's newest picture to every page that wants more. Called after each `board.tick`. */
  tick(): void {
    this.#ticks++
    this.#whole = undefined
    const { picture, history } = this.#board
    const { end } = history
    // Pages that have missed the same ticks get the same text.
    const texts = new Map<number, string>()
    for (const [page, state] of this.#pages) {
      if (state.behind !== undefined) {
        state.behind++
        if (state.behind >= mostTicksBehind) this.#drop(page)
        continue
      }
      const text =
        texts.get(state.end.recent) ?? this.#event('tick', { picture, ...history.since(state.end) })
      texts.set(state.end.recent, text)
      state.end = end
      if (!page.write(text)) state.behind = 0
    }
  }

  #drop(page: EventSink): void {
    this.#pages.delete(page)
    page.drop()
  }

  #event(name: string, data: object): string {
    return `id: ${this.#ticks}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
  }
}
