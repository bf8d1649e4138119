// A program under observation during a soak: one row of figures a minute, from everything that is
// visible from outside: its metrics, its health, its log, its directory.

import { spawnSync } from 'node:child_process'
import { Program } from '../endToEnd/programs.ts'

export interface WatchOptions {
  /**
   * Matches the output of the program when it is ready; its one group is the address of its HTTP
   * server.
   */
  readonly ready: RegExp
  /** The directory whose size counts as the disk usage of the program. */
  readonly directory: string
  readonly environment?: Readonly<Record<string, string>>
}

export interface SoakRow {
  readonly residentMb: number
  readonly cpuSeconds: number
  readonly scrapeMs: number
  readonly scrapeBytes: number
  readonly loopP99Ms: number
  readonly diskMb: number
  /** Lines of the log since the start, by level. */
  readonly logLines: Readonly<Record<string, number>>
  /** The reasons why the program is not ready or not healthy. */
  readonly reasons: readonly string[]
}

const levelNames: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
}

export class WatchedProgram {
  readonly name: string
  readonly program: Program
  readonly rows: SoakRow[] = []
  readonly #ready: RegExp
  readonly #directory: string
  #url: string | undefined
  readonly #logLines: Record<string, number> = {}
  /** Warnings and errors as they were written, the first of each message. */
  readonly #remarks = new Map<string, string>()
  #partOfLine = ''

  constructor(name: string, words: readonly string[], options: WatchOptions) {
    const { ready, directory, environment } = options
    this.name = name
    this.program = new Program(name, words, ready, environment)
    this.#ready = ready
    this.#directory = directory
  }

  async start(): Promise<void> {
    await this.program.start()
    this.#readLog()
  }

  get url(): string {
    return this.#url!
  }

  get remarks(): readonly string[] {
    return [...this.#remarks.values()]
  }

  /** Adds one row. Fails if the program does not answer. */
  async look(): Promise<void> {
    const [metrics, scrapeMs] = await this.#scrape()
    this.rows.push({
      residentMb: figure(metrics, 'process_resident_memory_bytes') / 1024 / 1024,
      cpuSeconds: figure(metrics, 'process_cpu_seconds_total'),
      scrapeMs,
      scrapeBytes: metrics.length,
      loopP99Ms: figure(metrics, 'nodejs_eventloop_lag_p99_seconds') * 1000,
      diskMb: sizeMb(this.#directory),
      logLines: { ...this.#logLines },
      reasons: await this.#reasons(),
    })
  }

  async metric(name: string): Promise<number> {
    const [metrics] = await this.#scrape()
    return figure(metrics, name)
  }

  async #scrape(): Promise<[text: string, ms: number]> {
    const startMs = performance.now()
    const response = await fetch(`${this.url}/metrics`)
    const text = await response.text()
    return [text, performance.now() - startMs]
  }

  async #reasons(): Promise<string[]> {
    const answers = await Promise.all(
      ['healthy', 'ready'].map(async (route) => (await fetch(`${this.url}/${route}`)).json()),
    )
    return (answers as { readonly reasons: readonly { readonly code: string }[] }[]).flatMap(
      ({ reasons }) => reasons.map(({ code }) => code),
    )
  }

  #readLog(): void {
    const found = this.#ready.exec(this.program.printed)
    this.#url = found?.[1]?.replace(/\/$/, '')
    this.program.onPrinted((chunk) => {
      const lines = (this.#partOfLine + chunk).split('\n')
      this.#partOfLine = lines.pop() ?? ''
      for (const line of lines) this.#count(line)
    })
  }

  #count(line: string): void {
    if (!line.startsWith('{"level":')) return
    const { level, msg } = JSON.parse(line) as { readonly level: number; readonly msg: string }
    const name = levelNames[level] ?? String(level)
    this.#logLines[name] = (this.#logLines[name] ?? 0) + 1
    if (level >= 40 && !this.#remarks.has(msg)) this.#remarks.set(msg, line.slice(0, 500))
  }
}

/** Sum of all samples of a metric. */
export function figure(metrics: string, name: string): number {
  let sum = Number.NaN
  for (const line of metrics.split('\n')) {
    if (!line.startsWith(name) || !/^[ {]/.test(line.slice(name.length))) continue
    sum = (Number.isNaN(sum) ? 0 : sum) + Number(line.slice(line.lastIndexOf(' ') + 1))
  }
  return sum
}

function sizeMb(directory: string): number {
  const { stdout } = spawnSync('du', ['-sk', directory], { encoding: 'utf8' })
  return Number(/^\d+/.exec(stdout)?.[0] ?? Number.NaN) / 1024
}
