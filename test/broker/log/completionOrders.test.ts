// The log on a disk whose operations complete in any order: appends, syncs, checkpoints and
// truncations overlap, and a crash may occur between any two completions. Appends are acknowledged
// in order, nothing acknowledged is lost, and the log is a prefix of the appended records.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { DiskCompletions } from '../../../protocol/runtime/disk/diskCompletions.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { models } from '../../modelRuns.ts'
import { append, makeBatch, openLog, readAll, stored } from './logFixture.ts'

type Step =
  | { readonly kind: 'append'; readonly records: number }
  | { readonly kind: 'flush' | 'checkpoint' | 'roll' }
  | { readonly kind: 'truncate'; readonly back: number }
  | { readonly kind: 'complete'; readonly count: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      records: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('flush' as const, 'checkpoint' as const, 'roll' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('truncate' as const), back: fc.nat({ max: 2 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('complete' as const), count: fc.nat({ max: 12 }) }),
  },
)

class World {
  readonly completions = new DiskCompletions()
  readonly disk = new MemoryDisk({ completions: this.completions })
  readonly #order: ReturnType<typeof seededRandom>
  log!: PartitionLog
  #recoveryPoint = 0
  /** In the order of the appends. */
  #submitted: { readonly bytes: Buffer; readonly end: number; isAcknowledged: boolean }[] = []
  #working: Promise<unknown>[] = []
  #life = 0

  constructor(seed: number) {
    this.#order = seededRandom(seed)
  }

  async start(): Promise<void> {
    const life = this.#life
    await this.#all(this.disk.makeDirectory('/data'))
    await this.#all(this.disk.syncDirectory('/'))
    this.log = await this.#all(
      openLog(this.disk, {
        recoveryPoint: this.#recoveryPoint,
        saveRecoveryPoint: async () => {
          if (life === this.#life) this.#recoveryPoint = this.log.recoveryPoint
        },
      }),
    )
    expect(this.log.offline).toBeUndefined()
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'append') this.#append(step.records)
    else if (step.kind === 'complete') await this.#complete(step.count)
    else if (step.kind === 'truncate') await this.#truncate(step.back)
    else this.#work(this.log[step.kind]())
  }

  /** In any order of the remaining completions, everything is acknowledged, and readers get it. */
  async finish(): Promise<void> {
    await this.#settled()
    expect(this.#submitted.every(({ isAcknowledged }) => isAcknowledged)).toBe(true)
    await this.#expectContent()
  }

  async crash(): Promise<void> {
    this.#life++
    const acknowledged = this.#submitted.findLastIndex(({ isAcknowledged }) => isAcknowledged) + 1
    this.disk.crash({ keepUnsynced: this.#order })
    await this.#settled()
    await this.start()
    const kept = this.#submitted.findLastIndex(({ end }) => end <= this.log.logEndOffset) + 1
    expect(kept).toBeGreaterThanOrEqual(acknowledged)
    // Records that recovery kept were synced.
    this.#submitted = this.#submitted.slice(0, kept)
    for (const entry of this.#submitted) entry.isAcknowledged = true
    await this.#expectContent()
  }

  #append(records: number): void {
    const life = this.#life
    const base = this.#submitted.at(-1)?.end ?? 0
    const batch = makeBatch({ records, label: `b${base}` })
    const entry = { bytes: stored(batch, base), end: base + records, isAcknowledged: false }
    const before = this.#submitted.at(-1)
    this.#submitted.push(entry)
    const appended = append(this.log, batch).then((result) => {
      if (life !== this.#life) return
      expect(result).toMatchObject({ errorCode: 0, baseOffset: base })
      expect(before?.isAcknowledged ?? true).toBe(true)
      entry.isAcknowledged = true
    })
    this.#work(appended)
  }

  /** Of an idle log; truncated records are forgotten, because later appends reuse their offsets. */
  async #truncate(back: number): Promise<void> {
    await this.#settled()
    this.#submitted = this.#submitted.slice(0, Math.max(0, this.#submitted.length - back))
    const end = this.#submitted.at(-1)?.end ?? 0
    await this.#all(this.log.truncateTo(end))
    expect(this.log.logEndOffset).toBe(end)
  }

  async #expectContent(): Promise<void> {
    const content = await this.#all(readAll(this.log))
    expect(content.equals(Buffer.concat(this.#submitted.map(({ bytes }) => bytes)))).toBe(true)
  }

  #work(work: Promise<unknown>): void {
    const life = this.#life
    // A dead process reports no failures.
    const ended = work.catch((error: unknown) => {
      if (life === this.#life) throw error
    })
    ended.catch(() => {})
    this.#working.push(ended)
  }

  async #complete(count: number): Promise<void> {
    for (let done = 0; done < count; done++) {
      await settle()
      const { pending } = this.completions
      if (pending.length === 0) return
      this.completions.complete(pending[this.#order.below(pending.length)]!.id)
    }
    await settle()
  }

  async #settled(): Promise<void> {
    const working = this.#working
    this.#working = []
    await this.#all(Promise.all(working))
  }

  /** Completes pending operations, in a random order, until the work is done. */
  async #all<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = () => {
      isDone = true
    }
    work.then(done, done)
    while (!isDone) {
      await this.completions.run(this.#order)
    }
    return await work
  }
}

test('the log keeps what it acknowledged in every order of completions', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25, size: 'max' }),
      fc.noShrink(fc.nat()),
      fc.boolean(),
      async (steps, seed, crashes) => {
        const world = new World(seed)
        await world.start()
        for (const each of steps) await world.take(each)
        if (crashes) await world.crash()
        await world.finish()
      },
    ),
    { numRuns: models.completionOrders.sequences },
  )
})
