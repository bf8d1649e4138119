// Random histories of a taildir source. A file channel gets every line exactly once, whatever
// happens to files, disk and process. A memory channel gets every line at least once, repeats only
// lines delivered shortly before a SIGKILL, and logs what it loses. MILLRACE_SEED=N repeats one
// history, MILLRACE_HISTORIES=N runs N new ones.

import { expect, test } from 'vitest'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import { type HistoryOptions, noteIntervalMs, PositionHistory } from './positionHistory.ts'

const histories = Number(process.env.MILLRACE_HISTORIES ?? 300)
const stepsPerHistory = 25
/** Maximum age of a line that is delivered and not noted yet: one interval and one round. */
const mostUnnotedMs = noteIntervalMs + 500
// Every run has the same histories; new ones only with MILLRACE_HISTORIES.
const newSeed = process.env.MILLRACE_HISTORIES === undefined ? 1 : Date.now() % 1_000_000
const firstSeed = Number(process.env.MILLRACE_SEED ?? newSeed)
const count = process.env.MILLRACE_SEED === undefined ? histories : 1

const kinds: readonly HistoryOptions[] = [
  { channels: ['file'], isSplit: false },
  { channels: ['memory'], isSplit: false },
  { channels: ['file', 'memory'], isSplit: false },
  { channels: ['file', 'file'], isSplit: true },
  { channels: ['memory'], isSplit: true },
]

/** The state of the files, as far as rotations depend on it. */
class World {
  readonly random: Random
  readonly history: PositionHistory
  readonly hasMemory: boolean
  /** Lines whose file content was destroyed, while a memory channel may still hold them. */
  readonly gone = new Set<string>()
  /** Lines of `gone` that the channel had not delivered when the agent ended. */
  readonly mayBeLost = new Set<string>()
  /** Each SIGKILL; all lines delivered before `notedMs` were noted by then. */
  readonly kills: { readonly atMs: number; readonly notedMs: number }[] = []
  /** The time at which the disk last began to work again. */
  diskWellMs = 0
  /** The lines in the current app.log. */
  current: string[] = []
  #rotations = 0
  #hasNewCopy = false

  constructor(seed: number) {
    this.random = seededRandom(seed)
    const options = kinds[seed % kinds.length]!
    this.hasMemory = options.channels.includes('memory')
    this.history = new PositionHistory(options)
  }

  async write(lines: number): Promise<void> {
    const { written } = this.history
    let text = ''
    for (; lines > 0; lines--) {
      // The lines differ in length, so that an offset of one file may be inside a line of another.
      const line = `${'x'.repeat(this.random.below(30))} line ${written.length}`
      written.push(line)
      this.current.push(line)
      text += `${line}\n`
    }
    // Some lines are written in two pieces; the second one always follows.
    const cut = this.random.below(4) === 0 ? this.random.below(text.length + 1) : text.length
    await this.history.append('/logs/app.log', text.slice(0, cut))
    if (cut < text.length) {
      if (this.history.isRunning) await this.history.run(this.random.below(300))
      await this.history.append('/logs/app.log', text.slice(cut))
    }
  }

  async rotate(): Promise<void> {
    if (this.current.length === 0) return
    const { history } = this
    // A file is renamed out of the pattern only if the agent has seen it and could note it.
    let name = `app.${this.#rotations++}.log`
    if (this.random.below(2) === 0 && history.isRunning && history.isDiskWell) {
      await history.run(400)
      if (history.isDiskWell) name = `old.${this.#rotations}`
    }
    await this.history.disk.rename('/logs/app.log', `/logs/${name}`)
    this.current = []
  }

  /** Truncates app.log after its whole content was copied. */
  async copyTruncate(): Promise<void> {
    if (this.current.length === 0) return
    const { history } = this
    // The position file describes only the most recently truncated content: the agent must have
    // followed an earlier copy by then.
    if (this.#hasNewCopy && (!history.isRunning || !history.isDiskWell)) return
    if (this.#hasNewCopy) await history.run(2000)
    this.#hasNewCopy = true
    // The agent recognizes a copy by the content that it has read of the original, so it must see
    // the original before the copy exists.
    if (history.isRunning) await history.run(250)
    const content = (await this.history.disk.readFile('/logs/app.log'))!
    const path = `/logs/app.copy${this.#rotations++}.log`
    const cut = this.random.below(content.length + 1)
    await this.history.append(path, content.subarray(0, cut).toString())
    if (this.random.below(2) === 0) await this.history.run(200)
    await this.history.append(path, content.subarray(cut).toString())
    if (this.random.below(2) === 0) await this.history.run(this.random.below(400))
    await this.#truncate()
  }

  /**
   * Destroys content without a copy, but only once every channel has its lines: before that, no
   * agent could keep them.
   */
  async destroy(): Promise<void> {
    if (this.current.length === 0 || !this.history.isRunning || this.history.isFull) return
    await this.history.catchUp(this.mayBeLost)
    // The position must be noted: otherwise the number of lost lines is unknown after a SIGKILL.
    if (this.hasMemory) await this.history.run(noteIntervalMs + 500)
    if (!(await this.history.isCaughtUp(this.mayBeLost))) return
    for (const line of this.current) this.gone.add(line)
    if (this.random.below(2) === 0) await this.#truncate()
    else {
      await this.history.disk.remove('/logs/app.log')
      this.current = []
      // The agent closes the removed file; the next file may get its inode.
      if (this.random.below(2) === 0) await this.history.run(4000)
    }
    await this.write(1 + this.random.below(12))
  }

  async end(how: 'kill' | 'stop', startsAgain: boolean): Promise<void> {
    const { history } = this
    if (!history.isRunning) return
    // An orderly stop on a failing disk promises no more than a SIGKILL.
    if (how === 'kill' || !history.isDiskWell) {
      const atMs = history.clock.monotonicMs()
      const isNoted = history.isDiskWell && atMs - this.diskWellMs > mostUnnotedMs
      this.kills.push({ atMs, notedMs: isNoted ? atMs - mostUnnotedMs : 0 })
    }
    const before = this.#undelivered()
    if (how === 'kill') history.kill()
    else await history.stop()
    for (const line of before) this.mayBeLost.add(line)
    if (startsAgain) await this.start()
  }

  async start(): Promise<void> {
    const { history } = this
    while (!history.isRunning) {
      if (await history.start()) break
      history.isFull = false
      this.diskWellMs = history.clock.monotonicMs()
    }
  }

  async #truncate(): Promise<void> {
    const file = await this.history.disk.open('/logs/app.log', 'write')
    await file.truncate(0)
    await file.close()
    this.current = []
  }

  #undelivered(): string[] {
    const { history } = this
    return [...this.gone].filter((line) =>
      history.delivered.some(
        ({ type, counts }, index) =>
          type === 'memory' && history.expected(index, [line]).some((out) => !counts.has(out)),
      ),
    )
  }
}

async function step(world: World): Promise<void> {
  const { history, random } = world
  const channel = random.below(history.delivered.length)
  const steps: [weight: number, act: () => Promise<unknown>][] = [
    [8, () => world.write(1 + random.below(25))],
    [6, () => history.run(random.below(1500))],
    [6, () => history.drain(channel, 1 + random.below(40), random.below(6) === 0)],
    [3, () => world.rotate()],
    [2, () => world.copyTruncate()],
    [3, () => world.destroy()],
    [4, () => world.end('kill', random.below(2) === 0)],
    [2, () => world.end('stop', random.below(2) === 0)],
    [3, () => world.start()],
    [
      2,
      async () => {
        history.isFull = random.below(2) === 0
        world.diskWellMs = history.clock.monotonicMs()
      },
    ],
    [
      2,
      async () => {
        history.failsIn = 1 + random.below(25)
        world.diskWellMs = history.clock.monotonicMs()
      },
    ],
  ]
  let left = random.below(steps.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, act] of steps) {
    left -= weight
    if (left < 0) {
      await act()
      return
    }
  }
}

async function run(seed: number): Promise<void> {
  const world = new World(seed)
  const { history } = world
  await world.start()
  for (let steps = 0; steps < stepsPerHistory; steps++) await step(world)
  history.isFull = false
  history.failsIn = Number.POSITIVE_INFINITY
  await world.start()
  await world.write(3)
  for (let quiet = 0; quiet < 4; ) {
    await history.run(3000)
    let hasDrained = false
    for (const index of history.delivered.keys()) {
      while (await history.drain(index, 50)) hasDrained = true
    }
    quiet = hasDrained ? 0 : quiet + 1
  }
  check(world, seed)
  await history.stop()
}

function check(world: World, seed: number): void {
  const { history, mayBeLost, kills } = world
  for (const [index, { type, counts, firstMs }] of history.delivered.entries()) {
    const expected = history.expected(index)
    const lost = expected.filter((line) => !counts.has(line))
    const doubled = expected.filter((line) => counts.get(line)! > 1)
    const where = `channel ${index} (${type}) with MILLRACE_SEED=${seed}`
    expect(
      [...counts.keys()].filter((line) => !expected.includes(line)),
      where,
    ).toEqual([])
    if (type === 'file') {
      expect({ lost, doubled }, where).toEqual({ lost: [], doubled: [] })
      continue
    }
    const allowed = new Set(history.expected(index, [...mayBeLost]))
    expect(
      lost.filter((line) => !allowed.has(line)),
      where,
    ).toEqual([])
    if (lost.length > 0) expect(saidToBeLost(history), where).toBeGreaterThan(0)
    // Only lines delivered after the last note before a SIGKILL may be repeated; a failing disk
    // delays notes.
    const repeated = doubled.filter((line) => {
      const atMs = firstMs.get(line)!
      return !kills.some((kill) => kill.notedMs <= atMs && atMs <= kill.atMs)
    })
    expect(repeated, where).toEqual([])
  }
}

/** The number of bytes or events that were, or may be, lost according to the log. */
function saidToBeLost(history: PositionHistory): number {
  return history.logger.lines
    .filter(({ level, message }) => level === 'warn' && /lost/.test(message))
    .reduce((sum, { fields }) => sum + Number(fields.bytes ?? fields.events), 0)
}

test(`${count} histories from MILLRACE_SEED=${firstSeed}`, { timeout: 600_000 }, async () => {
  console.log(`${count} histories from MILLRACE_SEED=${firstSeed}`)
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    try {
      await run(seed)
    } catch (error) {
      console.log(`failed with MILLRACE_SEED=${seed}`)
      throw error
    }
  }
})
