// Two jobs with one name would write the same results twice: the second job is refused, and of two
// jobs that start at the same moment exactly one continues.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { aliveMs, NameClaim } from '../../../engine/lifecycle/nameClaim.ts'
import type { RunningJob } from '../../../engine/lifecycle/submit.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { encodeStatus, type JobStatus } from '../../../protocol/telemetry/status/status.ts'
import { ensureStatusTopic } from '../../../protocol/telemetry/status/statusTopic.ts'
import { statusTopic } from '../../../protocol/telemetry/status/statusTopicName.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { drive } from '../../protocol/client/drive.ts'
import { counted, JobBroker } from './jobBroker.ts'

const words = join(import.meta.dirname, 'modules/words.ts')
let broker: JobBroker
let other: string

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
  other = await mkdtemp(join(tmpdir(), 'millrace-copy-'))
})

afterEach(async () => {
  await broker.stop()
  await rm(other, { recursive: true, force: true })
})

/** Resolves when the status topic has the job's own status. */
async function isReported(job: RunningJob): Promise<void> {
  await broker.produce(['a'])
  await counted(job, 1)
  const { promise, resolve } = Promise.withResolvers<void>()
  const { name } = job
  const { id } = job.status()
  const watcher = new NameClaim({
    ...{ cluster: broker.cluster, clock: systemClock, logger: silentLogger, name },
    ...{ id: `${id}-watcher`, startedMs: Number.MAX_SAFE_INTEGER },
  })
  watcher.lost.catch(() => resolve())
  await promise
  watcher.stop()
}

test('a job is refused while a job with its name runs in another directory, and starts afterwards', async () => {
  const one = await broker.submit(words, { executors: 0, host: 'h1' })
  one.announce('http://127.0.0.1:4711')
  const { id } = one.status()
  expect(id).toMatch(/^job\/words\/[0-9a-f]{8}$/)
  await isReported(one)
  for (const executors of [0, 1]) {
    await expect(broker.submit(words, { executors, directory: other })).rejects.toMatchObject({
      code: 'JOB_NAME_TAKEN',
      message: expect.stringMatching(
        new RegExp(
          `^job 'words' is already running: instance ${id.slice(-8)} on host h1 at http://127.0.0.1:4711, for `,
        ),
      ),
    })
  }
  await one.stop()
  const two = await broker.submit(words, { executors: 0, directory: other })
  expect(two.status().id).not.toBe(id)
  await two.stop()
  const again = await broker.submit(words, { executors: 0 })
  expect(again.status().id).toBe(id)
  await again.stop()
}, 60_000)

test('of two jobs that start at the same moment exactly one continues', async () => {
  const [one, two] = await Promise.allSettled([
    broker.submit(words, { executors: 0 }),
    broker.submit(words, { executors: 0, directory: other }),
  ])
  const outcomes = [one, two].map((submitted) =>
    submitted.status === 'rejected' ? Promise.reject(submitted.reason) : submitted.value.finished,
  )
  await expect(Promise.race(outcomes)).rejects.toMatchObject({ code: 'JOB_NAME_TAKEN' })
  const ended = [one, two].filter(
    (submitted) => submitted.status === 'rejected' || submitted.value.status().state === 'failed',
  )
  expect(ended).toHaveLength(1)
  // The other job continues to count.
  const left = [one, two].find((submitted) => !ended.includes(submitted))!
  expect(left.status === 'fulfilled' && left.value.status().state).toBe('running')
  await broker.produce(['a'])
  await counted((left as PromiseFulfilledResult<RunningJob>).value, 1)
}, 60_000)

test('a job that was just killed restarts from its own directory without waiting', async () => {
  const id = 'job/words/01234567'
  await report({ id, timeMs: Date.now(), startedMs: Date.now() })
  const claim = claimOf({ id })
  await claim.check()
  claim.stop()
})

test('a status of another instance holds the name for 10 seconds', async () => {
  const clock = new ManualClock()
  const id = 'job/words/01234567'
  await report({ id, timeMs: clock.nowMs() })
  const claim = claimOf({ id: 'job/words/89abcdef', clock })
  await expect(claim.check()).rejects.toMatchObject({ code: 'JOB_NAME_TAKEN' })
  claim.stop()
  clock.advance(aliveMs)
  const later = claimOf({ id: 'job/words/89abcdef', clock })
  await later.check()
  later.stop()
})

test('of two jobs the one started later ends; if started at the same time, the one with the larger instance id', async () => {
  const startedMs = 1_000_000
  const [small, large] = ['job/words/00000001', 'job/words/00000002']
  const cases = [
    { own: small, other: large, otherStartedMs: startedMs - 1, loses: true },
    { own: small, other: large, otherStartedMs: startedMs, loses: false },
    { own: large, other: small, otherStartedMs: startedMs, loses: true },
    { own: large, other: small, otherStartedMs: startedMs + 1, loses: false },
  ]
  for (const { own, other: id, otherStartedMs, loses } of cases) {
    const logger = new MemoryLogger()
    const claim = claimOf({ id: own, startedMs, logger })
    await claim.check()
    await report({ id, timeMs: Date.now(), startedMs: otherStartedMs })
    if (loses) await expect(claim.lost).rejects.toMatchObject({ code: 'JOB_NAME_TAKEN' })
    else await expect.poll(() => logger.messages('warn')).toHaveLength(1)
    claim.stop()
    await report({ id, timeMs: Date.now(), state: 'stopped' })
  }
}, 30_000)

test('an unreachable broker does not block a start forever', async () => {
  const clock = new ManualClock()
  const network = { ...tcpNetwork, connect: () => new Promise<never>(() => {}) }
  const runtime = { clock, random: systemRandom(), network, scheduler: systemScheduler }
  const cluster = new Cluster(runtime, { bootstrap: [{ host: 'away', port: 1 }], clientId: 'test' })
  const claim = new NameClaim({
    ...{ cluster, clock, logger: silentLogger, name: 'words', id: 'job/words/0', startedMs: 0 },
  })
  const checked = claim.check()
  await clock.advanceAndSettle(3_000)
  await checked
  claim.stop()
  await drive(clock, cluster.close())
})

/** Writes a status of job `words`, as the job itself would. */
async function report(status: Partial<JobStatus>): Promise<void> {
  await ensureStatusTopic(broker.cluster, 5_000)
  const runtime = { clock: systemClock, random: systemRandom() }
  const producer = new Producer(broker.cluster, runtime, { lingerMs: 0 })
  await producer.send(
    statusTopic,
    encodeStatus({
      ...{ kind: 'job', id: '', name: 'words', timeMs: 0, state: 'running', topics: [] },
      ...{ batchIntervalMs: 100, lagRecords: 0, recordsTotal: 0, batches: [], views: [] },
      ...status,
    }),
  )
  await producer.close()
}

function claimOf(options: {
  id: string
  clock?: ManualClock
  startedMs?: number
  logger?: MemoryLogger
}): NameClaim {
  return new NameClaim({
    ...{ cluster: broker.cluster, clock: systemClock, logger: silentLogger, name: 'words' },
    ...{ startedMs: Date.now() },
    ...options,
  })
}
