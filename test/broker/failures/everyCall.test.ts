// Every administrative operation, with each of its system calls failing once, with each error that
// the call can return; and with a full disk, or no free file descriptors, from that call on for
// some seconds. The operation is always answered. Without a restart, the broker then behaves as if
// nothing had failed; after SIGKILL or a power failure and a restart, everything acknowledged
// exists.
//
// EIO is different on purpose (decision 14): it means that the disk has failed, and with it the
// data directory with the metadata, so the broker stops; nothing acknowledged is lost either.

import { afterAll, expect, test } from 'vitest'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker } from '../server/memoryBroker.ts'
import { AdminRequests } from './adminRequests.ts'
import { FaultyDisk, type Verdict } from './faultyDisk.ts'
import { FaultyMetadataLog } from './faultyMetadataLog.ts'
import { type Operation, operations, type World } from './operations.ts'

const metadataCalls = ['metadata append', 'metadata sync', 'metadata read', 'metadata compact']

/** The calls that can return each error; an error of the disk can come from any. */
const callsWith: Readonly<Record<string, readonly string[]>> = {
  ENOSPC: ['open', 'write', 'makeDirectory', 'rename', ...metadataCalls],
  EMFILE: [
    ...['open', 'list', 'readFile', 'makeDirectory', 'remove', 'syncDirectory'],
    ...metadataCalls,
  ],
  EISDIR: ['open', 'readFile', 'makeDirectory', 'rename', 'remove'],
}
const faults: readonly (readonly [code: string, lasts: boolean])[] = [
  ['ENOSPC', false],
  ['ENOSPC', true],
  ['EMFILE', false],
  ['EMFILE', true],
  ['EISDIR', false],
  ['EIO', false],
]

/** Turns of the event loop, and milliseconds, after which an answer counts as missing. */
const mostTurns = 3000
/** Duration of a fault that persists. */
const lastsSeconds = 4
/** Longer than the longest pause between two retries. */
const repairSeconds = 12

const tally = { operations: 0, calls: 0, directoriesFailed: 0, restarts: 0 }

class Trial {
  readonly broker: MemoryBroker
  verdict: Verdict = () => undefined
  admin!: AdminRequests
  world!: World
  hasFailed = false

  private constructor(broker: MemoryBroker) {
    this.broker = broker
  }

  static async begin({ isFirstUse }: Operation): Promise<Trial> {
    const broker = await MemoryBroker.start(config)
    await broker.stop()
    const trial = new Trial(broker)
    const verdict: Verdict = (operation, path) => trial.verdict(operation, path)
    broker.wrapDisk = (disk) => new FaultyDisk(disk, verdict)
    broker.wrapMetadataLog = (log) => new FaultyMetadataLog(log, verdict)
    await broker.start()
    await trial.connect()
    await trial.#prepareTopics()
    if (!isFirstUse) await trial.#prepareCoordinators()
    return trial
  }

  async connect(): Promise<void> {
    this.hasFailed = false
    const { failed } = this.broker.broker
    void failed.then(() => {
      this.hasFailed = true
    })
    this.admin = new AdminRequests(await this.broker.client())
  }

  /** Fails if no answer comes. */
  async answered<Answer>(answer: Promise<Answer>): Promise<Answer> {
    let isThere = false
    const there = () => {
      isThere = true
    }
    answer.then(there, there)
    for (let turn = 0; !isThere; turn++) {
      if (turn > mostTurns) throw new Error('the answer is missing')
      await settle()
      this.broker.clock.advance(1)
    }
    return await answer
  }

  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await this.broker.clock.advanceAndSettle(1000)
      await settle()
    }
  }

  /** Checks that everything acknowledged before exists, and that every operation is possible. */
  async checkAll(operation: Operation): Promise<void> {
    const { admin, world } = this
    await operation.check(admin, world)
    expect(await admin.read('kept', 0)).toEqual(expect.arrayContaining(['kept 1', 'kept 2']))
    if (!operation.isFirstUse) {
      expect(await admin.committed('g', 'kept')).toBe(operation.name === 'OffsetDelete' ? -1 : 5)
    }
    for (const name of await admin.topicNames()) {
      const { partitions } = await admin.describeTopic(name)
      for (const [partition, errorCode] of partitions.entries()) {
        expect([name, partition, errorName(errorCode)]).toEqual([name, partition, 'NONE'])
        expect(errorName(await admin.produce(name, partition, ['probe']))).toBe('NONE')
      }
    }
    const probe = `probe-${this.broker.clock.monotonicMs()}`
    expect(await admin.createTopics([probe, 1])).toEqual([0])
    expect(await admin.commit('probe group', probe, 1)).toBe(0)
    expect(await admin.deleteTopics(probe)).toEqual([0])
    expect(await admin.setConfig(4, '', 'max.connections.per.ip', '99')).toBe(0)
    expect((await admin.initProducerId('probe')).errorCode).toBe(0)
    const names = await this.broker.disk.list('/data')
    expect(names.filter((name) => name.includes('delete') || name.startsWith(probe))).toEqual([])
  }

  async #prepareTopics(): Promise<void> {
    const { admin } = this
    const topics = [['kept', 2] as const, ['orders', 2] as const, ['spare', 1] as const]
    expect(await this.answered(admin.createTopics(...topics))).toEqual([0, 0, 0])
    // Each record rolls a segment, so that whole ones can be deleted.
    expect(await admin.setConfig(2, 'orders', 'internal.segment.bytes', '100')).toBe(0)
    const values = [
      ['kept', 'kept 1'],
      ['kept', 'kept 2'],
      ...[1, 2, 3].map((number) => ['orders', `order ${number}`] as const),
    ] as const
    for (const [topic, value] of values) expect(await admin.produce(topic, 0, [value])).toBe(0)
  }

  async #prepareCoordinators(): Promise<void> {
    const { admin } = this
    for (const [group, topic, offset] of [
      ['g', 'kept', 5],
      ['g', 'orders', 7],
      ['spare group', 'kept', 1],
    ] as const) {
      expect(await this.answered(admin.commit(group, topic, offset))).toBe(0)
    }
    const [open, idle] = [await this.#producer('open'), await this.#producer('idle')]
    expect(await admin.addPartition(open, 'spare')).toBe(0)
    expect(await admin.produce('spare', 0, ['in transaction'], open)).toBe(0)
    expect(await this.answered(admin.addOffsets(open, 'in transaction'))).toBe(0)
    expect(await admin.commitInTransaction(open, 'in transaction', 'kept', 8)).toBe(0)
    this.world = { open, idle }
  }

  async #producer(transactionalId: string) {
    const { producerId, producerEpoch } = await this.answered(
      this.admin.initProducerId(transactionalId),
    )
    return { transactionalId, producerId, producerEpoch }
  }
}

const config = {
  'num.partitions': 1,
  'offsets.topic.num.partitions': 2,
  'transaction.state.log.num.partitions': 2,
}

/**
 * Runs the operation with its call number `failing` failing, and possibly later ones; returns false
 * if it has fewer calls.
 */
async function tryCall(
  operation: Operation,
  code: string,
  lasts: boolean,
  failing: number,
): Promise<boolean> {
  const trial = await Trial.begin(operation)
  const calls = callsWith[code]
  let count = 0
  let failed = ''
  trial.verdict = (call, path) => {
    if (calls && !calls.includes(call)) return undefined
    count++
    if (count < failing || (count > failing && !lasts)) return undefined
    if (count === failing) failed = `${call} ${path}`
    return code
  }
  const { admin, world, broker } = trial
  const first = await trial.answered(operation.run(admin, world))
  if (lasts && count >= failing) await trial.pass(lastsSeconds)
  trial.verdict = () => undefined
  if (count < failing) {
    expect(first.every((each) => each === 0)).toBe(true)
    await broker.stop()
    return false
  }
  try {
    if (code === 'EIO') {
      await trial.pass(1)
      expect(trial.hasFailed, 'a failed disk ends the broker').toBe(true)
      tally.directoriesFailed++
    } else {
      await trial.pass(repairSeconds)
      expect(trial.hasFailed, 'the broker continues').toBe(false)
      await finish(trial, operation)
      await trial.checkAll(operation)
    }
    await (failing % 2 === 0 ? broker.kill() : broker.crash())
    tally.restarts++
    await trial.connect()
    if (code === 'EIO') {
      await trial.pass(repairSeconds)
      await finish(trial, operation)
    }
    await trial.checkAll(operation)
    await broker.stop()
  } catch (error) {
    const codesOf = first.map(errorName).join(', ')
    const span = lasts ? 'from call' : 'at call'
    const message = `${operation.name}, ${code} ${span} ${failing} (${failed}), answered ${codesOf}`
    throw new Error(`${message}: ${(error as Error).message}`, { cause: error })
  }
  tally.calls++
  return true
}

/**
 * Repeats the operation as a client would: without a failing call it succeeds at the first attempt.
 */
async function finish(trial: Trial, operation: Operation) {
  const done = new Set([0, ...(operation.already ?? [])])
  const again = await trial.answered(operation.run(trial.admin, trial.world))
  expect(again.map((code) => (done.has(code) ? 'NONE' : errorName(code)))).toEqual(
    again.map(() => 'NONE'),
  )
}

test.each(operations)(
  '$name: each failing call is repaired, and nothing is lost',
  { timeout: 240_000 },
  async (operation) => {
    tally.operations++
    for (const [code, lasts] of faults) {
      let calls = 0
      while (await tryCall(operation, code, lasts, calls + 1)) calls++
    }
  },
)

afterAll(() => {
  console.log(
    `${tally.operations} operations, ${tally.calls} failing calls, none unrepaired; ` +
      `${tally.directoriesFailed} of them failed the data directory; ${tally.restarts} restarts`,
  )
  expect(tally.calls).toBeGreaterThan(0)
})
