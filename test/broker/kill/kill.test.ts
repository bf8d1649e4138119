// A broker process, killed with SIGKILL 200 times under load: while it starts and recovers, while
// it rolls, removes and compacts segments, while topics are created and transactions end. The seed
// is printed; MILLRACE_SEED=N plans the same kills again.

import { type FSWatcher, watch } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { sleep, systemClock } from '../../../protocol/runtime/time/clock.ts'
import { freePort, Program } from '../../endToEnd/programs.ts'
import { busyBroker, WholeLoad } from './wholeLoad.ts'
import type { LoadEvent, World } from './world.ts'

const kills = 200
/** Small, so that the journal's two files alternate several times in each incarnation. */
const journalFileBytes = 60_000
/** Limit on the delay of a kill after the event that it waits for. */
const mostDelayMs = 4
const mostEvents: Record<LoadEvent, number> = {
  stored: 500,
  committing: 10,
  ending: 3,
  creating: 1,
}

/** Names that appear in a directory when segments are rolled, removed and compacted. */
const fileChanges = [
  ['numbered-1', /\.log$/],
  ['retained-0', /\.log$/],
  ['retained-1', /\.deleted$/],
  ['transfers-0', /\.log$/],
  ['compacted-0', /\.cleaned$/],
  ['compacted-0', /\.swap$/],
  ['', /checkpoint/],
] as const

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

test(`acknowledged records exist once and in order after ${kills} kills`, {
  timeout: 900_000,
}, async () => {
  const seed = Number(process.env.MILLRACE_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`kills with MILLRACE_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kills-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const victim = await Victim.prepare(directory)
  closing.push(() => victim.kill())

  const { clock, network } = nodeRuntime(tcpNetwork)
  // Separate, so that the plan does not depend on the progress of the load.
  const loadRandom = seededRandom(seed + 1)
  const cluster = new Cluster(
    { clock, network, random: loadRandom, scheduler: systemScheduler },
    {
      ...{ bootstrap: [victim.address], clientId: 'kills' },
      ...{ retryBackoffMs: 5, retryBackoffMaxMs: 40 },
    },
  )
  closing.push(() => cluster.close())
  const counter = new EventCounter()
  const world: World = {
    ...{ cluster, random: loadRandom },
    note: (event) => counter.note(event),
  }
  const load = new WholeLoad(world)

  await victim.start()
  await load.createTopics()
  let isOver = false
  const running = load.run(() => isOver)
  for (let kill = 0; kill < kills; kill++) {
    const isStarting = kill > 0 && random.below(5) === 0
    if (isStarting) {
      await victim.killWhileStarting(random)
    } else {
      if (kill > 0) await victim.start()
      const moment = counter.reach(anyOf(eventNames, random), random)
      const moments = random.below(3) > 0 ? [moment] : [moment, victim.fileChange(random)]
      await Promise.race([...moments, running])
      await sleep(systemClock, random.float() * mostDelayMs)
      await victim.kill()
    }
  }
  await victim.start()
  isOver = true
  await running
  await load.check()
  const { tally } = load.ledger
  console.log(
    [
      `${kills} kills, ${victim.killedWhileStarting} of them while starting`,
      `${tally.acknowledged} records acknowledged, ${tally.read} read`,
      `${load.committedTransactions} transactions committed`,
      `${tally.duplicates} duplicates, ${tally.losses} losses`,
      `restart in ${victim.medianStartMs} ms (median)`,
    ].join('; '),
  )
  expect(tally.read).toBeGreaterThan(kills)
})

const eventNames = Object.keys(mostEvents) as LoadEvent[]

/** Waits for a number of events of one kind. */
class EventCounter {
  #waiting: { readonly event: LoadEvent; left: number; resolve(): void } | undefined

  note(event: LoadEvent): void {
    const waiting = this.#waiting
    if (waiting?.event !== event || --waiting.left > 0) return
    this.#waiting = undefined
    waiting.resolve()
  }

  reach(event: LoadEvent, random: Random): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { event, left: 1 + random.below(mostEvents[event]), resolve }
    })
  }
}

/** The broker, on the same port in each of its incarnations. */
class Victim {
  readonly address: { readonly host: string; readonly port: number }
  readonly #program: Program
  readonly #directory: string
  readonly #startsMs: number[] = []
  #watcher: FSWatcher | undefined
  killedWhileStarting = 0

  /** Runs and stops it once, so that later starts find compiled code. */
  static async prepare(directory: string): Promise<Victim> {
    const config = join(directory, 'broker.properties')
    const options = Object.entries({ ...busyBroker, 'flush.journal.file.bytes': journalFileBytes })
    await writeFile(config, options.map(([key, value]) => `${key}=${value}\n`).join(''))
    const port = await freePort()
    const data = join(directory, 'data')
    const words = [
      'broker',
      '--no-console',
      '--port',
      String(port),
      '--data',
      data,
      '--config',
      config,
    ]
    const cache = { NODE_COMPILE_CACHE: join(directory, 'compiled') }
    const program = new Program('broker', words, /listening/, cache)
    await program.start()
    await program.stop()
    return new Victim(program, { host: '127.0.0.1', port }, data)
  }

  private constructor(program: Program, address: Victim['address'], directory: string) {
    this.#program = program
    this.address = address
    this.#directory = directory
  }

  get medianStartMs(): number {
    const sorted = [...this.#startsMs].sort((a, b) => a - b)
    return Math.round(sorted[Math.floor(sorted.length / 2)]!)
  }

  async start(): Promise<void> {
    const fromMs = systemClock.monotonicMs()
    await this.#program.start()
    this.#startsMs.push(systemClock.monotonicMs() - fromMs)
  }

  async kill(): Promise<void> {
    this.#watcher?.close()
    await this.#program.kill()
    // pino's levels: 50 is an error, 60 fatal.
    expect(this.#program.printed).not.toMatch(/"level":[56]0/)
  }

  /** Kills it at any moment between the start of the process and about when it is ready. */
  async killWhileStarting(random: Random): Promise<void> {
    let isReady = false
    const started = this.#program.start().then(
      () => {
        isReady = true
      },
      () => {},
    )
    await sleep(systemClock, random.float() * 1.2 * this.medianStartMs)
    if (!isReady) this.killedWhileStarting++
    await this.kill()
    await started
  }

  /**
   * Resolves when the next segment in this incarnation is rolled, removed or compacted, or a
   * checkpoint is written.
   */
  async fileChange(random: Random): Promise<void> {
    const [name, pattern] = anyOf(fileChanges, random)
    const watcher = watch(join(this.#directory, name))
    this.#watcher = watcher
    await new Promise<void>((resolve, reject) => {
      watcher.on('change', (_, name) => {
        if (pattern.test(String(name))) resolve()
      })
      watcher.on('error', reject)
    })
  }
}

function anyOf<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)]!
}
