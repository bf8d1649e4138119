// The conformance suite of CoordinationLog. Run against each implementation, without faults and, in
// memory, with them: every call is repeated until its outcome is known, as member.ts does it.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  AppendOutcome,
  CoordinationLog,
  LogEntry,
  LogHistory,
  LogIdentity,
  LogListener,
  LogPosition,
  LogSnapshot,
} from '../../../../protocol/coordination/log/coordinationLog.ts'

/** A fresh log that several members can open. */
export interface LogsUnderTest {
  open(member: string): Promise<CoordinationLog>
  /** Resolves when the condition holds. Advances time if that is simulated. */
  until(condition: () => boolean): Promise<void>
  /** Ends what `open` has not; the suite has closed all members. */
  close(): Promise<void>
  /** Stops and restarts what holds the log; all members were closed before. */
  restart?(): Promise<void>
  /** Cuts a member off from the log, or ends that. Others are not affected. */
  setReachable?(member: string, isReachable: boolean): void
  /** Damage: the log is created anew. */
  recreate?(): Promise<void>
  /** Damage: the last entries are lost. */
  loseSuffix?(count: number): Promise<void>
}

export interface ConformanceOptions {
  /** Entries of the test with concurrent appenders. */
  readonly manyEntries?: number
  readonly races?: number
  readonly propertyRuns?: number
}

const maxAttempts = 200

/** What a listener was told, in order. */
export class Recorder implements LogListener {
  readonly entries: LogEntry[] = []
  readonly snapshots: LogSnapshot[] = []
  readonly identities: LogIdentity[] = []
  readonly lostAt: number[] = []
  readonly reachable: boolean[] = []
  #sequence: number
  /** The first delivery that is not the one after the last. */
  disorder: string | undefined

  /** `sequence`: where the subscription starts. */
  constructor(sequence: number) {
    this.#sequence = sequence
  }

  /** Sequence of the last entry that was delivered, alone or in a snapshot. */
  get sequence(): number {
    return this.#sequence
  }

  onEntry(entry: LogEntry): void {
    if (entry.sequence !== this.#sequence + 1) {
      this.disorder ??= `${entry.sequence} after ${this.#sequence}`
    }
    this.#sequence = entry.sequence
    this.entries.push(entry)
  }

  onSnapshot(snapshot: LogSnapshot): void {
    if (snapshot.sequence <= this.#sequence) {
      this.disorder ??= `a snapshot at ${snapshot.sequence} after ${this.#sequence}`
    }
    this.#sequence = snapshot.sequence
    this.snapshots.push(snapshot)
  }

  onIdentity(identity: LogIdentity): void {
    this.identities.push(identity)
  }

  onLost(lastSequence: number): void {
    this.lostAt.push(lastSequence)
  }

  onReachable(isReachable: boolean): void {
    this.reachable.push(isReachable)
  }

  get texts(): string[] {
    return this.entries.map(({ bytes }) => textOf(bytes))
  }
}

/** Calls that are repeated until their outcome is known. */
class Caller {
  readonly #logs: LogsUnderTest

  constructor(logs: LogsUnderTest) {
    this.#logs = logs
  }

  /** Awaits a promise while time goes on. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    promise.then(settled, settled)
    await this.#logs.until(() => isSettled)
    return promise
  }

  async repeat<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.finish(call())
      } catch (error) {
        if (codeOf(error) !== 'COORDINATION_UNAVAILABLE' || attempt === maxAttempts) throw error
      }
    }
  }

  load(log: CoordinationLog): Promise<LogHistory> {
    return this.repeat(() => log.load())
  }

  read(log: CoordinationLog, sequence: number): Promise<readonly LogEntry[]> {
    return this.repeat(() => log.read(sequence))
  }

  writeSnapshot(log: CoordinationLog, sequence: number, text: string): Promise<void> {
    return this.repeat(() => log.writeSnapshot({ sequence, bytes: Buffer.from(text) }))
  }

  /** Appends bytes that no other append has; resolves an unknown outcome by reading the log. */
  async append(log: CoordinationLog, sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    for (let attempt = 1; ; attempt++) {
      try {
        if ((await this.finish(log.append(sequence, bytes))) === 'appended') return 'appended'
      } catch (error) {
        if (codeOf(error) !== 'COORDINATION_UNAVAILABLE' || attempt === maxAttempts) throw error
      }
      const [found] = await this.read(log, sequence - 1)
      if (found === undefined) continue
      expect(found.sequence).toBe(sequence)
      return Buffer.from(found.bytes).equals(bytes) ? 'appended' : 'conflict'
    }
  }

  async appendAll(log: CoordinationLog, from: number, texts: readonly string[]): Promise<void> {
    for (const [at, text] of texts.entries()) {
      expect(await this.append(log, from + at, Buffer.from(text))).toBe('appended')
    }
  }
}

export function coordinationLogConformance(
  name: string,
  make: () => Promise<LogsUnderTest>,
  { manyEntries = 2000, races = 30, propertyRuns = 10 }: ConformanceOptions = {},
): void {
  describe(`${name} is a CoordinationLog`, () => {
    let logs: LogsUnderTest
    let caller: Caller
    let opened: CoordinationLog[]

    beforeEach(() => start())
    afterEach(() => stop())

    async function start(): Promise<void> {
      logs = await make()
      caller = new Caller(logs)
      opened = []
    }
    async function stop(): Promise<void> {
      await closeMembers()
      await logs.close()
    }
    async function closeMembers(): Promise<void> {
      await Promise.all(opened.splice(0).map((log) => caller.finish(log.close())))
    }
    async function open(member: string): Promise<CoordinationLog> {
      const log = await caller.finish(logs.open(member))
      opened.push(log)
      return log
    }
    async function openLoaded(...members: string[]): Promise<CoordinationLog[]> {
      const result: CoordinationLog[] = []
      for (const member of members) {
        const log = await open(member)
        await caller.load(log)
        result.push(log)
      }
      return result
    }
    function record(log: CoordinationLog, sequence: number): Recorder {
      const recorder = new Recorder(sequence)
      log.subscribe(sequence, recorder)
      return recorder
    }

    test('a new log is empty and has one identity for all members', async () => {
      const [a, b] = [await open('a'), await open('b')]
      const history = await caller.load(a!)
      expect(history).toMatchObject({ snapshot: undefined, entries: [], lastSequence: 0 })
      expect(history.identity.generation).toBe(1)
      expect(history.identity.id).not.toBe('')
      expect((await caller.load(b!)).identity).toEqual(history.identity)
    })

    test('an append at the next sequence is appended, at a taken one it conflicts', async () => {
      const [a, b] = await openLoaded('a', 'b')
      expect(await caller.append(a!, 1, Buffer.from('one'))).toBe('appended')
      expect(await caller.append(b!, 1, Buffer.from('other'))).toBe('conflict')
      expect(await caller.append(a!, 1, Buffer.from('again'))).toBe('conflict')
      expect(await caller.append(b!, 2, Buffer.from('two'))).toBe('appended')
      expect(textsOf(await caller.read(a!, 0))).toEqual(['one', 'two'])
    })

    test('an append beyond the end is rejected and has no effect', async () => {
      const [a] = await openLoaded('a')
      await caller.appendAll(a!, 1, ['one'])
      const failure = await caller
        .repeat(() => a!.append(3, Buffer.from('three')))
        .catch((error: unknown) => error)
      expect(codeOf(failure)).toBe('COORDINATION_DAMAGED')
      expect(await caller.append(a!, 2, Buffer.from('two'))).toBe('appended')
      expect(textsOf(await caller.read(a!, 0))).toEqual(['one', 'two'])
    })

    test('of two members that race for a sequence, exactly one wins', async () => {
      const [a, b] = await openLoaded('a', 'b')
      const winners: string[] = []
      for (let sequence = 1; sequence <= races; sequence++) {
        const [one, other] = await Promise.all([
          caller.append(a!, sequence, Buffer.from(`a${sequence}`)),
          caller.append(b!, sequence, Buffer.from(`b${sequence}`)),
        ])
        expect([one, other].sort()).toEqual(['appended', 'conflict'])
        winners.push(`${one === 'appended' ? 'a' : 'b'}${sequence}`)
      }
      expect(textsOf(await caller.read(a!, 0))).toEqual(winners)
    })

    test('every subscription gets every entry once and in order, also own ones', async () => {
      const [a, b] = await openLoaded('a', 'b')
      const recorders = [record(a!, 0), record(b!, 0), record(b!, 0)]
      const texts = Array.from({ length: 20 }, (_, at) => `entry ${at}`)
      for (const [at, text] of texts.entries()) {
        await caller.appendAll(at % 3 === 0 ? b! : a!, at + 1, [text])
      }
      for (const recorder of recorders) {
        await logs.until(() => recorder.sequence >= texts.length)
        expect(recorder.texts).toEqual(texts)
        expect(recorder.disorder).toBeUndefined()
      }
    })

    test('a read has every entry whose append has resolved', async () => {
      const [a, b] = await openLoaded('a', 'b')
      for (let sequence = 1; sequence <= 10; sequence++) {
        await caller.appendAll(a!, sequence, [`entry ${sequence}`])
        for (const log of [a!, b!]) {
          expect(textsOf(await caller.read(log, sequence - 1))).toEqual([`entry ${sequence}`])
        }
      }
      expect(await caller.read(b!, 10)).toEqual([])
      expect((await caller.read(b!, 4)).map(({ sequence }) => sequence)).toEqual([
        5, 6, 7, 8, 9, 10,
      ])
    })

    test('a subscription that starts late gets the entries after its start', async () => {
      const [a, b] = await openLoaded('a', 'b')
      await caller.appendAll(a!, 1, ['one', 'two', 'three'])
      const appending = caller.appendAll(a!, 4, ['four'])
      const recorder = record(b!, 1)
      await appending
      await logs.until(() => recorder.sequence >= 4)
      expect(recorder.texts).toEqual(['two', 'three', 'four'])
      expect(recorder.disorder).toBeUndefined()
    })

    test('a subscription that has ended gets nothing more', async () => {
      const [a, b] = await openLoaded('a', 'b')
      const ended = new Recorder(0)
      const end = b!.subscribe(0, ended)
      const other = record(b!, 0)
      await caller.appendAll(a!, 1, ['one'])
      await logs.until(() => ended.sequence >= 1)
      end()
      await caller.appendAll(a!, 2, ['two'])
      await logs.until(() => other.sequence >= 2)
      expect(ended.texts).toEqual(['one'])
    })

    test('a caller may reuse the memory of an entry', async () => {
      const [a] = await openLoaded('a')
      const recorder = record(a!, 0)
      const bytes = Buffer.from('first')
      expect(await caller.append(a!, 1, bytes)).toBe('appended')
      bytes.fill('x')
      expect(textsOf(await caller.read(a!, 0))).toEqual(['first'])
      await logs.until(() => recorder.sequence >= 1)
      expect(recorder.texts).toEqual(['first'])
    })

    test('a snapshot replaces the entries before it and keeps those after it', async () => {
      const [a] = await openLoaded('a')
      await caller.appendAll(a!, 1, ['one', 'two', 'three', 'four'])
      await caller.writeSnapshot(a!, 3, 'state at 3')
      const history = await caller.load(await open('b'))
      expect(history.snapshot?.sequence).toBe(3)
      expect(textOf(history.snapshot!.bytes)).toBe('state at 3')
      expect(textsOf(history.entries.filter(({ sequence }) => sequence > 3))).toEqual(['four'])
      expect(history.lastSequence).toBe(4)
      await caller.appendAll(a!, 5, ['five'])
      expect(textsOf(await caller.read(a!, 3))).toEqual(['four', 'five'])
    })

    test('the sequence goes on after a snapshot of everything', async () => {
      const [a, b] = await openLoaded('a', 'b')
      await caller.appendAll(a!, 1, ['one', 'two'])
      await caller.writeSnapshot(a!, 2, 'state at 2')
      const history = await caller.load(b!)
      expect(history).toMatchObject({ entries: [], lastSequence: 2 })
      expect(await caller.read(b!, 2)).toEqual([])
      expect(await caller.repeat(() => b!.append(2, Buffer.from('late')))).toBe('conflict')
      await caller.appendAll(b!, 3, ['three'])
      expect(textsOf(await caller.read(a!, 2))).toEqual(['three'])
    })

    test('a snapshot that is older than the present one has no effect', async () => {
      const [a] = await openLoaded('a')
      await caller.appendAll(a!, 1, ['one', 'two', 'three', 'four'])
      await caller.writeSnapshot(a!, 3, 'state at 3')
      await caller.writeSnapshot(a!, 2, 'state at 2')
      await caller.writeSnapshot(a!, 3, 'another state at 3')
      const { snapshot, entries } = await caller.load(await open('b'))
      expect(snapshot?.sequence).toBe(3)
      expect(textOf(snapshot!.bytes)).toBe('state at 3')
      expect(textsOf(entries.filter(({ sequence }) => sequence > 3))).toEqual(['four'])
    })

    test('a read of entries before a snapshot is rejected, unless all of them are kept', async () => {
      const [a] = await openLoaded('a')
      await caller.appendAll(a!, 1, ['one', 'two', 'three', 'four'])
      await caller.writeSnapshot(a!, 3, 'state at 3')
      const read = await caller.finish(a!.read(1)).catch((error: unknown) => error)
      if (Array.isArray(read)) expect(textsOf(read)).toEqual(['two', 'three', 'four'])
      else expect(codeOf(read)).toBe('COORDINATION_UNAVAILABLE')
    })

    test('a large snapshot is stored and loaded whole', async () => {
      const [a] = await openLoaded('a')
      await caller.appendAll(a!, 1, ['one'])
      const state = 'a large state '.repeat(200_000)
      await caller.writeSnapshot(a!, 1, state)
      const { snapshot } = await caller.load(await open('b'))
      expect(textOf(snapshot!.bytes) === state).toBe(true)
    })

    test('a subscription whose entries were trimmed gets the snapshot, then the entries', async () => {
      const [a, b] = await openLoaded('a', 'b')
      const texts = Array.from({ length: 30 }, (_, at) => `entry ${at + 1}`)
      await caller.appendAll(a!, 1, texts)
      await caller.writeSnapshot(a!, 28, 'state at 28')
      const recorder = record(b!, 3)
      await caller.appendAll(a!, 31, ['entry 31'])
      await logs.until(() => recorder.sequence >= 31)
      expectCompleteFrom(recorder, 3, [...texts, 'entry 31'], 'state at 28')
    })

    test('a member that was cut off gets what it missed, by a snapshot if need be', async ({
      skip,
    }) => {
      if (logs.setReachable === undefined) return skip()
      const [a, b] = await openLoaded('a', 'b')
      const recorder = record(b!, 0)
      const texts = Array.from({ length: 12 }, (_, at) => `entry ${at + 1}`)
      await caller.appendAll(a!, 1, texts.slice(0, 2))
      await logs.until(() => recorder.sequence >= 2)
      logs.setReachable('b', false)
      await caller.appendAll(a!, 3, texts.slice(2, 10))
      await caller.writeSnapshot(a!, 9, 'state at 9')
      await logs.until(() => recorder.reachable.at(-1) === false)
      expect(recorder.sequence).toBe(2)
      logs.setReachable('b', true)
      await caller.appendAll(a!, 11, texts.slice(10))
      await logs.until(() => recorder.sequence >= 12)
      expectCompleteFrom(recorder, 0, texts, 'state at 9')
      await logs.until(() => recorder.reachable.at(-1) === true)
    })

    test('calls of a member that is cut off are rejected', async ({ skip }) => {
      if (logs.setReachable === undefined) return skip()
      const [a, b] = await openLoaded('a', 'b')
      logs.setReachable('b', false)
      const unavailable = { code: 'COORDINATION_UNAVAILABLE' }
      await expect(caller.finish(b!.load())).rejects.toMatchObject(unavailable)
      await expect(caller.finish(b!.append(1, Buffer.from('b')))).rejects.toMatchObject(unavailable)
      await expect(caller.finish(b!.read(0))).rejects.toMatchObject(unavailable)
      logs.setReachable('b', true)
      // The append of b may or may not have taken effect.
      const outcome = await caller.append(a!, 1, Buffer.from('a'))
      const first = outcome === 'appended' ? 'a' : 'b'
      expect(textsOf(await caller.read(b!, 0))).toEqual([first])
    })

    test('entries, snapshot and identity outlive the members and the log’s process', async () => {
      const [a] = await openLoaded('a')
      const { identity } = await caller.load(a!)
      await caller.appendAll(a!, 1, ['one', 'two', 'three'])
      await caller.writeSnapshot(a!, 2, 'state at 2')
      await closeMembers()
      await logs.restart?.()
      const [again] = await openLoaded('a')
      const history = await caller.load(again!)
      expect(history.identity).toEqual(identity)
      expect(history.lastSequence).toBe(3)
      expect(history.snapshot?.sequence).toBe(2)
      expect(textOf(history.snapshot!.bytes)).toBe('state at 2')
      expect(textsOf(history.entries.filter(({ sequence }) => sequence > 2))).toEqual(['three'])
      expect(await caller.append(again!, 3, Buffer.from('taken'))).toBe('conflict')
      await caller.appendAll(again!, 4, ['four'])
    })

    test('large and empty entries are kept as they are', async () => {
      const [a, b] = await openLoaded('a', 'b')
      const recorder = record(b!, 0)
      const large = Buffer.alloc(900 * 1024, 'large ')
      expect(await caller.append(a!, 1, large)).toBe('appended')
      expect(await caller.append(a!, 2, Buffer.alloc(0))).toBe('appended')
      expect(await caller.append(a!, 3, large)).toBe('appended')
      await logs.until(() => recorder.sequence >= 3)
      const lengths = [large.length, 0, large.length]
      expect(recorder.entries.map(({ bytes }) => bytes.length)).toEqual(lengths)
      const read = await caller.read(b!, 0)
      expect(read.map(({ bytes }) => bytes.length)).toEqual(lengths)
      for (const entries of [recorder.entries, read]) {
        expect(large.equals(entries[0]!.bytes)).toBe(true)
        expect(large.equals(entries[2]!.bytes)).toBe(true)
      }
    })

    test('many entries of concurrent appenders have one order for all', async () => {
      const members = await openLoaded('a', 'b', 'c')
      const recorders = members.map((log) => record(log, 0))
      await Promise.all(members.map((log, at) => appendMany(log, `member ${at}`, manyEntries)))
      for (const recorder of recorders) {
        await logs.until(() => recorder.sequence >= manyEntries)
        expect(recorder.disorder).toBeUndefined()
        expect(recorder.texts).toEqual(recorders[0]!.texts)
        expect(new Set(recorder.texts).size).toBe(recorder.texts.length)
      }
      const { lastSequence } = await caller.load(members[0]!)
      expect(lastSequence).toBe(manyEntries)
    })

    /** Appends until the log has `count` entries of all members together. */
    async function appendMany(log: CoordinationLog, name: string, count: number): Promise<void> {
      let sequence = 1
      for (let number = 1; sequence <= count; ) {
        const outcome = await caller.append(log, sequence, Buffer.from(`${name} ${number}`))
        if (outcome === 'appended') {
          sequence++
          number++
        } else sequence += (await caller.read(log, sequence - 1)).length
      }
    }

    test('a claim reaches the other members, if it is repeated', async () => {
      const [a, b, c] = await openLoaded('a', 'b', 'c')
      const heard: LogPosition[][] = [[], [], []]
      for (const [at, log] of [a!, b!, c!].entries()) {
        log.onClaim((position) => heard[at]!.push(position))
      }
      const position = { id: 'an id', sequence: 7, digest: 'ab'.repeat(16), member: 'a' }
      await logs.until(() => {
        a!.claim(position)
        return heard[1]!.length > 0 && heard[2]!.length > 0
      })
      expect(heard[1]![0]).toEqual(position)
      expect(heard[2]![0]).toEqual(position)
      expect(heard[0]).toEqual([])
    })

    test('close ends deliveries and refuses calls', async () => {
      const [a, b] = await openLoaded('a', 'b')
      const [closed, open] = [record(b!, 0), record(a!, 0)]
      await caller.appendAll(a!, 1, ['one'])
      await logs.until(() => closed.sequence >= 1)
      await caller.finish(b!.close())
      await caller.appendAll(a!, 2, ['two'])
      await logs.until(() => open.sequence >= 2)
      expect(closed.texts).toEqual(['one'])
      const refused = { code: 'COORDINATION_CLOSED' }
      await expect(b!.load()).rejects.toMatchObject(refused)
      await expect(b!.append(3, Buffer.from('three'))).rejects.toMatchObject(refused)
      await expect(b!.read(0)).rejects.toMatchObject(refused)
      await expect(b!.writeSnapshot({ sequence: 1, bytes: Buffer.alloc(1) })).rejects.toMatchObject(
        refused,
      )
      await caller.finish(b!.close())
    })

    test('a log that was created anew is told to subscribers', async ({ skip }) => {
      if (logs.recreate === undefined) return skip()
      const [a, b] = await openLoaded('a', 'b')
      const { identity } = await caller.load(a!)
      const recorders = [record(a!, 0), record(b!, 0)]
      await caller.appendAll(a!, 1, ['one', 'two'])
      await logs.until(() => recorders.every(({ sequence }) => sequence === 2))
      await caller.finish(logs.recreate())
      await logs.until(() => recorders.every(({ identities }) => identities.length > 0))
      const present = (await caller.load(await open('c'))).identity
      expect(present.id).not.toBe(identity.id)
      for (const { identities } of recorders) expect(identities).toEqual([present])
    })

    test('the loss of entries is told to subscribers that have them', async ({ skip }) => {
      if (logs.loseSuffix === undefined) return skip()
      const [a, b] = await openLoaded('a', 'b')
      const recorders = [record(a!, 0), record(b!, 0)]
      await caller.appendAll(a!, 1, ['one', 'two', 'three'])
      await logs.until(() => recorders.every(({ sequence }) => sequence === 3))
      await caller.finish(logs.loseSuffix(2))
      await logs.until(() => recorders.every(({ lostAt }) => lostAt.length > 0))
      for (const { lostAt, texts } of recorders) {
        expect(lostAt).toEqual([1])
        expect(texts).toEqual(['one', 'two', 'three'])
      }
      const failure = await caller
        .repeat(() => a!.append(4, Buffer.from('four')))
        .catch((error: unknown) => error)
      expect(codeOf(failure)).toBe('COORDINATION_DAMAGED')
    })

    type Step =
      | { type: 'append'; member: number; size: number; behind: number }
      | { type: 'read'; member: number; back: number }
      | { type: 'subscribe'; member: number; back: number }
      | { type: 'snapshot'; member: number; back: number }
      | { type: 'reopen'; member: number }
    const member = fc.nat({ max: 2 })
    const back = fc.nat({ max: 6 })
    const size = fc.nat({ max: 300 })
    const append = (behind: fc.Arbitrary<number>) =>
      fc.record({ type: fc.constant('append' as const), member, size, behind })
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 6, arbitrary: append(fc.constant(0)) },
      { weight: 2, arbitrary: append(fc.integer({ min: 1, max: 3 })) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('read' as const), member, back }) },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant('subscribe' as const), member, back }),
      },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('snapshot' as const), member, back }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen' as const), member }) },
    )

    test('property: the log of three members behaves as an array', async () => {
      await fc.assert(
        fc
          .asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
            await new ArrayModel(caller, await openLoaded('m0', 'm1', 'm2'), open, logs).run(steps)
          })
          .beforeEach(async () => {
            await stop()
            await start()
          }),
        { numRuns: propertyRuns },
      )
    })

    /** Runs steps against the log and an array, and compares them. */
    class ArrayModel {
      readonly #caller: Caller
      readonly #members: CoordinationLog[]
      readonly #open: (member: string) => Promise<CoordinationLog>
      readonly #logs: LogsUnderTest
      readonly #texts: string[] = []
      #snapshotAt = 0
      #appends = 0
      readonly #recorders: { member: number; from: number; recorder: Recorder }[] = []

      constructor(
        caller: Caller,
        members: CoordinationLog[],
        open: (member: string) => Promise<CoordinationLog>,
        logs: LogsUnderTest,
      ) {
        this.#caller = caller
        this.#members = members
        this.#open = open
        this.#logs = logs
      }

      async run(steps: readonly Step[]): Promise<void> {
        for (const each of [0, 1, 2]) this.#subscribe(each, 0)
        for (const each of steps) await this.#step(each)
        for (const { from, recorder } of this.#recorders) await this.#complete(from, recorder)
        const history = await this.#caller.load(await this.#open('last'))
        expect(history.snapshot?.sequence ?? 0).toBe(this.#snapshotAt)
        const entries = history.entries.filter(({ sequence }) => sequence > this.#snapshotAt)
        expect(textsOf(entries)).toEqual(this.#texts.slice(this.#snapshotAt))
      }

      async #step(each: Step): Promise<void> {
        const log = this.#members[each.member]!
        switch (each.type) {
          case 'append':
            return this.#append(log, each.behind, each.size)
          case 'read': {
            const from = Math.max(this.#snapshotAt, this.#texts.length - each.back)
            expect(textsOf(await this.#caller.read(log, from))).toEqual(this.#texts.slice(from))
            return
          }
          case 'subscribe':
            return this.#subscribe(each.member, Math.max(0, this.#texts.length - each.back))
          case 'snapshot': {
            const at = this.#texts.length - each.back
            if (at < 1) return
            await this.#caller.writeSnapshot(log, at, `state at ${at}`)
            this.#snapshotAt = Math.max(this.#snapshotAt, at)
            return
          }
          case 'reopen':
            return this.#reopen(each.member)
        }
      }

      async #append(log: CoordinationLog, behind: number, size: number): Promise<void> {
        const last = this.#texts.length
        const sequence = Math.max(this.#snapshotAt, last - behind) + 1
        const text = `${last} ${behind} ${this.#appends++}`.padEnd(size, 'x')
        const outcome = await this.#caller.append(log, sequence, Buffer.from(text))
        expect(outcome).toBe(sequence === last + 1 ? 'appended' : 'conflict')
        if (outcome === 'appended') this.#texts.push(text)
      }

      #subscribe(member: number, from: number): void {
        const recorder = new Recorder(from)
        this.#members[member]!.subscribe(from, recorder)
        this.#recorders.push({ member, from, recorder })
      }

      async #reopen(member: number): Promise<void> {
        await this.#caller.finish(this.#members[member]!.close())
        const closed = this.#recorders.filter((each) => each.member === member)
        for (const each of closed) {
          expect(each.recorder.disorder).toBeUndefined()
          this.#recorders.splice(this.#recorders.indexOf(each), 1)
        }
        const log = await this.#open(`m${member}`)
        await this.#caller.load(log)
        this.#members[member] = log
        this.#subscribe(member, this.#texts.length)
      }

      async #complete(from: number, recorder: Recorder): Promise<void> {
        await this.#logs.until(() => recorder.sequence >= this.#texts.length)
        expectCompleteFrom(recorder, from, this.#texts, undefined)
        for (const { sequence, bytes } of recorder.snapshots) {
          expect(textOf(bytes)).toBe(`state at ${sequence}`)
        }
      }
    }
  })
}

/**
 * Expects that every entry of `texts` after `from` was delivered, in order, or is in a snapshot
 * that was delivered instead.
 */
function expectCompleteFrom(
  recorder: Recorder,
  from: number,
  texts: readonly string[],
  snapshot: string | undefined,
): void {
  const delivered = new Map(recorder.entries.map(({ sequence, bytes }) => [sequence, bytes]))
  const gaps = texts
    .map((_, at) => at + 1)
    .filter((sequence) => sequence > from && !delivered.has(sequence))
  expect(recorder.disorder).toBeUndefined()
  const covered = recorder.snapshots.at(-1)?.sequence ?? from
  expect(gaps.filter((sequence) => sequence > covered)).toEqual([])
  for (const [sequence, bytes] of delivered) expect(textOf(bytes)).toBe(texts[sequence - 1])
  if (snapshot === undefined || recorder.snapshots.length === 0) return
  expect(textOf(recorder.snapshots.at(-1)!.bytes)).toBe(snapshot)
}

function textsOf(entries: readonly LogEntry[]): string[] {
  return entries.map(({ bytes }) => textOf(bytes))
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code
}
