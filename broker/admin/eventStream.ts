// Server-sent events to the open pages. A page gets the whole board when it connects, then at most
// one event per second: the latest picture, with the history points that it lacks. Invariant: only
// `open` and `tick` write to a page, never the completion of an earlier write, so a slow page costs
// less than a fast one and the stream cannot feed itself.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Board } from './board/board.ts'
import type { HistoryEnd } from './board/history.ts'

/** One open page, as the stream sees it. */
export interface EventSink {
  /**
   * Takes all of `text`; returns whether it wants more now. False is not a failure: the text is
   * being sent, and `drained` is called afterwards.
   */
  write(text: string): boolean
  /** Closes the connection; the browser reconnects. */
  drop(): void
}

/** Most open pages; each costs a socket, at most one event in memory, and one write per second. */
export const mostPages = 100
/**
 * A page that has not drained its last event for this many ticks is dropped. The limit is high
 * because a system reports a socket as writable only when a third of its buffer (up to 1 MB) is
 * free.
 */
export const mostTicksBehind = 120

interface OpenPage {
  /** Position in the history after everything written is read. */
  end: HistoryEnd
  /** Ticks since a write returned false; undefined while the page wants more. */
  behind: number | undefined
}

export class EventStream {
  readonly #board: Board
  readonly #pages = new Map<EventSink, OpenPage>()
  #ticks = 0
  /** The whole board at the latest tick, cached for pages that open before the next. */
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

  /** Sends the whole board. Must not be called while `isFull`. */
  open(page: EventSink): void {
    assert(!this.isFull, 'a page was opened although the stream is full')
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

  /** Called when the page has read all that was written; the next tick sends what it lacks. */
  drained(page: EventSink): void {
    const state = this.#pages.get(page)
    if (state) state.behind = undefined
  }

  /** Sends the latest picture to every page that wants more. Called after each `board.tick`. */
  tick(): void {
    this.#ticks++
    this.#whole = undefined
    const { picture, history } = this.#board
    const { end } = history
    // Pages that lack the same ticks get the same text.
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
