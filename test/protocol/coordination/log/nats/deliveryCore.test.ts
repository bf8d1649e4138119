// What a subscription delivers: entries that are published, missed, late or there again, positions
// of the stream that are old, and snapshots that replace entries, in any order.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogEntry } from '../../../../../protocol/coordination/log/coordinationLog.ts'
import {
  DeliveryCore,
  type DeliveryEffect,
  maxEntriesOfRead,
} from '../../../../../protocol/coordination/log/nats/deliveryCore.ts'

const confirmMs = 1000

function entry(sequence: number, text = `entry ${sequence}`): LogEntry {
  return { sequence, bytes: Buffer.from(text) }
}

function range(from: number, to: number): LogEntry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at))
}

/** Effects in short: `3` an entry, `@5` a snapshot, `1-4` a read, `?` a read of the snapshot. */
function short(effects: readonly DeliveryEffect[]): string {
  return effects
    .map((effect) => {
      switch (effect.type) {
        case 'entry':
          return `${effect.entry.sequence}`
        case 'snapshot':
          return `@${effect.snapshot.sequence}`
        case 'read':
          return `${effect.from}-${effect.to}`
        case 'readSnapshot':
          return '?'
        case 'lost':
          return `lost ${effect.lastSequence}`
      }
      return ''
    })
    .join(' ')
}

describe('entries', () => {
  test('that are published in order are delivered at once', () => {
    const core = new DeliveryCore(3, confirmMs)
    expect(short(core.published(entry(4)))).toBe('4')
    expect(short(core.published(entry(5)))).toBe('5')
  })

  test('that come again are not delivered again', () => {
    const core = new DeliveryCore(3, confirmMs)
    core.published(entry(4))
    expect(short(core.published(entry(4)))).toBe('')
    expect(short(core.published(entry(2)))).toBe('')
  })

  test('that were missed are read before later ones are delivered', () => {
    const core = new DeliveryCore(0, confirmMs)
    expect(short(core.published(entry(3)))).toBe('1-3')
    expect(short(core.published(entry(4)))).toBe('')
    expect(short(core.entriesRead(range(1, 3)))).toBe('1 2 3 4-4')
    expect(short(core.entriesRead(range(4, 4)))).toBe('4')
  })

  test('that the position tells of are read in bounded parts', () => {
    const core = new DeliveryCore(0, confirmMs)
    const last = maxEntriesOfRead + 2
    expect(short(core.observed(1, last, 0, 0))).toBe(`1-${maxEntriesOfRead}`)
    const effects = short(core.entriesRead(range(1, maxEntriesOfRead)))
    expect(effects.endsWith(`${maxEntriesOfRead} ${maxEntriesOfRead + 1}-${last}`)).toBe(true)
  })

  test('after a failed read are read at the next position', () => {
    const core = new DeliveryCore(0, confirmMs)
    core.observed(1, 2, 0, 0)
    core.readFailed()
    expect(short(core.observed(1, 2, 0, 0))).toBe('1-2')
  })

  test('that were trimmed are replaced by the snapshot', () => {
    const core = new DeliveryCore(2, confirmMs)
    expect(short(core.observed(8, 9, 2, 0))).toBe('?')
    expect(short(core.snapshotRead({ sequence: 7, bytes: Buffer.alloc(0) }))).toBe('@7 8-9')
    expect(short(core.entriesRead(range(8, 9)))).toBe('8 9')
  })

  test('that were trimmed during the read are replaced at the next position', () => {
    const core = new DeliveryCore(0, confirmMs)
    expect(short(core.published(entry(5)))).toBe('1-5')
    expect(short(core.entriesRead([]))).toBe('')
    expect(short(core.observed(5, 5, 0, 0))).toBe('?')
  })
})

describe('a loss', () => {
  test('counts when the position is behind for long enough', () => {
    const core = new DeliveryCore(5, confirmMs)
    expect(short(core.observed(1, 3, 5, 0))).toBe('')
    expect(short(core.observed(1, 3, 5, confirmMs - 1))).toBe('')
    expect(short(core.observed(1, 3, 5, confirmMs))).toBe('lost 3')
    expect(short(core.observed(1, 3, 5, 2 * confirmMs))).toBe('')
    expect(short(core.published(entry(6)))).toBe('')
  })

  test('does not count if a leader that was behind is replaced in time', () => {
    const core = new DeliveryCore(5, confirmMs)
    core.observed(1, 3, 5, 0)
    expect(short(core.observed(1, 5, 5, confirmMs - 1))).toBe('')
    expect(short(core.observed(1, 3, 5, confirmMs))).toBe('')
  })

  test('is not concluded from a position that was asked for before an entry came', () => {
    const core = new DeliveryCore(5, 0)
    core.published(entry(6))
    expect(short(core.observed(1, 5, 5, 0))).toBe('')
  })

  test('is certain when another entry is published at the place of a delivered one', () => {
    const core = new DeliveryCore(3, confirmMs)
    core.published(entry(4))
    core.published(entry(5))
    expect(short(core.published(entry(4, 'another')))).toBe('lost 3')
  })

  test('is concluded from entries that are missing inside the stream', () => {
    const core = new DeliveryCore(0, confirmMs)
    let nowMs = 0
    let effects = core.observed(1, 9, 0, nowMs)
    while (short(effects) === '1-9' && nowMs < 100 * confirmMs) {
      core.entriesRead([])
      nowMs += 300
      effects = core.observed(1, 9, 0, nowMs)
    }
    expect(short(effects)).toBe('lost 0')
  })
})

test('whatever arrives, entries are delivered in order, once, and in the end all of them', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('append' as const), isHeard: fc.boolean() }),
    fc.record({ type: fc.constant('again' as const), back: fc.nat(5) }),
    fc.record({ type: fc.constant('look' as const), behind: fc.nat(3) }),
    fc.record({ type: fc.constant('answer' as const), fails: fc.boolean() }),
    fc.record({ type: fc.constant('trim' as const), kept: fc.nat(3) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const run = new Run()
      for (const one of steps) run.step(one)
      run.finish()
    }),
    { numRuns: 2000 },
  )
})

type Step =
  | { type: 'append'; isHeard: boolean }
  | { type: 'again'; back: number }
  | { type: 'look'; behind: number }
  | { type: 'answer'; fails: boolean }
  | { type: 'trim'; kept: number }

/** A stream that loses nothing, with a driver that answers reads late. */
class Run {
  readonly #core = new DeliveryCore(0, confirmMs)
  #first = 1
  #last = 0
  #snapshot = 0
  #delivered = 0
  #reads: DeliveryEffect[] = []

  step(step: Step): void {
    switch (step.type) {
      case 'append':
        this.#last++
        if (step.isHeard) this.#perform(this.#core.published(entry(this.#last)))
        return
      case 'again': {
        const sequence = this.#last - step.back
        if (sequence > 0) this.#perform(this.#core.published(entry(sequence)))
        return
      }
      case 'look': {
        // An old position, from a leader that was replaced.
        const last = Math.max(this.#first - 1, this.#last - step.behind)
        this.#perform(this.#core.observed(this.#first, last, this.#delivered, 0))
        return
      }
      case 'answer':
        this.#answer(step.fails)
        return
      case 'trim':
        this.#snapshot = Math.max(this.#snapshot, this.#last - step.kept)
        this.#first = Math.max(this.#first, this.#snapshot + 1)
    }
  }

  finish(): void {
    for (let turn = 0; turn < 100 && this.#delivered < this.#last; turn++) {
      this.#perform(this.#core.observed(this.#first, this.#last, this.#delivered, 0))
      while (this.#reads.length > 0) this.#answer(false)
    }
    expect(this.#delivered).toBe(this.#last)
  }

  #answer(fails: boolean): void {
    const read = this.#reads.shift()
    if (read === undefined) return
    if (fails) this.#core.readFailed()
    else if (read.type === 'read') {
      const isThere = read.from >= this.#first
      this.#perform(this.#core.entriesRead(isThere ? range(read.from, read.to) : []))
    } else {
      const { sequence, bytes } = entry(this.#snapshot)
      this.#perform(this.#core.snapshotRead(sequence > 0 ? { sequence, bytes } : undefined))
    }
  }

  #perform(effects: readonly DeliveryEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'entry') {
        expect(effect.entry.sequence).toBe(this.#delivered + 1)
        this.#delivered++
      } else if (effect.type === 'snapshot') {
        expect(effect.snapshot.sequence).toBeGreaterThan(this.#delivered)
        this.#delivered = effect.snapshot.sequence
      } else if (effect.type === 'lost') expect.fail('nothing was lost')
      else this.#reads.push(effect)
    }
    expect(this.#reads.length).toBeLessThan(2)
  }
}
