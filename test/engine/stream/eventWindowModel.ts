// A model of event time windows, as simple as possible: rows are stored unchanged, and every result
// is computed from all of them.

interface Row {
  readonly key: string
  readonly timeMs: number
  readonly id: number
}

interface Bounds {
  readonly startMs: number
  readonly endMs: number
}

interface Window extends Bounds {
  readonly key: string
  rows: Row[]
  results: number
  hasNews: boolean
  emitted: Bounds[]
}

export interface ModelOutputs {
  readonly results: (Bounds & {
    readonly key: string
    readonly value: number[]
    readonly revision: number
    readonly replaces?: readonly Bounds[]
  })[]
  readonly late: readonly Row[]
  readonly open: readonly unknown[]
}

export abstract class WindowModel {
  windows: Window[] = []
  readonly latenessMs: number

  constructor(latenessMs: number) {
    this.latenessMs = latenessMs
  }

  /** Adds the rows to their windows, and returns the rows that no window accepted. */
  abstract take(rows: readonly Row[], watermarkMs: number): Row[]

  batch(rows: readonly Row[], watermarkMs: number): ModelOutputs {
    const late = this.take(rows, watermarkMs)
    const results: ModelOutputs['results'] = []
    for (const window of this.windows) {
      const { key, startMs, endMs } = window
      if (endMs > watermarkMs || !window.hasNews) continue
      const replaces = window.emitted.filter(
        (one) => one.startMs !== startMs || one.endMs !== endMs,
      )
      results.push({
        ...{ key, startMs, endMs, value: idsOf(window), revision: window.results },
        ...(replaces.length > 0 && { replaces }),
      })
      window.results++
      window.hasNews = false
      window.emitted = [{ startMs, endMs }]
    }
    this.windows = this.windows.filter((window) => !this.isOver(window, watermarkMs))
    const open = this.windows.map((window) => {
      const { key, startMs, endMs, results } = window
      return { key, startMs, endMs, value: idsOf(window), results }
    })
    return { results, late, open }
  }

  isOver({ endMs }: Bounds, watermarkMs: number): boolean {
    return endMs + this.latenessMs <= watermarkMs
  }
}

export class FixedModel extends WindowModel {
  readonly #sizeMs: number
  readonly #slideMs: number
  readonly #offsetMs: number

  constructor(windows: {
    readonly sizeMs: number
    readonly slideMs: number
    readonly offsetMs: number
    readonly latenessMs: number
  }) {
    super(windows.latenessMs)
    this.#sizeMs = windows.sizeMs
    this.#slideMs = windows.slideMs
    this.#offsetMs = windows.offsetMs
  }

  take(rows: readonly Row[], watermarkMs: number): Row[] {
    return rows.filter((row) => {
      let isTaken = false
      // Tries every time that could be the start of a window.
      for (let startMs = row.timeMs - this.#sizeMs + 1; startMs <= row.timeMs; startMs++) {
        if ((startMs - this.#offsetMs) % this.#slideMs !== 0) continue
        const bounds = { startMs, endMs: startMs + this.#sizeMs }
        if (this.isOver(bounds, watermarkMs)) continue
        isTaken = true
        let window = this.windows.find((one) => one.key === row.key && one.startMs === startMs)
        if (!window) {
          window = { key: row.key, ...bounds, rows: [], results: 0, hasNews: true, emitted: [] }
          this.windows.push(window)
        }
        window.rows.push(row)
        window.hasNews = true
      }
      return !isTaken
    })
  }
}

export class SessionModel extends WindowModel {
  readonly #gapMs: number

  constructor({ gapMs, latenessMs }: { readonly gapMs: number; readonly latenessMs: number }) {
    super(latenessMs)
    this.#gapMs = gapMs
  }

  /** Merges sessions that overlap, until no two overlap. */
  take(rows: readonly Row[], watermarkMs: number): Row[] {
    const pieces: (Window & { parts: Window[]; added: Row[] })[] = [
      ...this.windows.map((window) => ({ ...window, parts: [window], added: [] })),
      ...rows.map((row) => ({
        ...{ key: row.key, startMs: row.timeMs, endMs: row.timeMs + this.#gapMs, rows: [row] },
        ...{ results: 0, hasNews: true, emitted: [], parts: [], added: [row] },
      })),
    ]
    for (let pair = overlap(pieces); pair; pair = overlap(pieces)) {
      const [one, other] = pair
      pieces.splice(pieces.indexOf(other), 1)
      pieces[pieces.indexOf(one)] = {
        key: one.key,
        startMs: Math.min(one.startMs, other.startMs),
        endMs: Math.max(one.endMs, other.endMs),
        rows: [...one.rows, ...other.rows],
        results: Math.max(one.results, other.results),
        hasNews: true,
        emitted: [...one.emitted, ...other.emitted].sort((a, b) => a.startMs - b.startMs),
        parts: [...one.parts, ...other.parts],
        added: [...one.added, ...other.added],
      }
    }
    const late: Row[] = []
    this.windows = pieces.flatMap(({ parts, added, ...session }) => {
      if (!this.isOver(session, watermarkMs)) return [session]
      late.push(...added)
      return parts
    })
    return late
  }
}

function overlap<T extends Window>(windows: readonly T[]): readonly [T, T] | undefined {
  for (const one of windows) {
    for (const other of windows) {
      if (one === other || one.key !== other.key) continue
      if (one.startMs < other.endMs && other.startMs < one.endMs) return [one, other]
    }
  }
  return undefined
}

function idsOf({ rows }: Window): number[] {
  return rows.map(({ id }) => id)
}
