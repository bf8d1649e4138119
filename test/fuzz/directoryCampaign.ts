// Starts brokers on damaged data directories. Each broker either starts and serves everything
// intact, or fails with an error of its own that names the damage; it never fails in another way,
// and never hangs.

import { createTopics } from '../../protocol/kafka/apis/createTopics.ts'
import { fetch } from '../../protocol/kafka/apis/fetch.ts'
import { listOffsets } from '../../protocol/kafka/apis/listOffsets.ts'
import { produce } from '../../protocol/kafka/apis/produce.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { settle } from '../../protocol/runtime/time/manualClock.ts'
import { batchOf, type MemoryBroker, type RawClient } from '../broker/server/memoryBroker.ts'
import { directoryTopics, diskWith, type Files, makeDirectory } from './dataDirectory.ts'
import { damagedDirectory } from './directoryDamage.ts'
import { oneIn, pick } from './draw.ts'
import { checkedPeakBytes } from './residentMemory.ts'

export interface DirectoryFigures {
  directories: number
  started: number
  /** Brokers that did not start, by error code. */
  readonly refused: Map<string, number>
  peakBytes: number
}

/**
 * Error codes of the tables of the log, the broker and the coordinators, whose errors name a
 * remedy.
 */
const ownCode = /^(LOG|COORDINATOR|DATA|CONFIG|BROKER|DIRECTORY)_[A-Z_]+$/
const patienceTurns = 5000

/** Runs a campaign. Throws an error with the command that repeats a failure. */
export async function runDirectoryCampaign(
  seed: number,
  directories: number,
): Promise<DirectoryFigures> {
  const made = [await makeDirectory('closed'), await makeDirectory('crashed')]
  const figures: DirectoryFigures = { directories: 0, started: 0, refused: new Map(), peakBytes: 0 }
  for (let number = 0; number < directories; number++) {
    const random = seededRandom(seed + number)
    const { broker, files } = pick(random, made)
    const damaged = damagedDirectory(files, random)
    try {
      await startOn(broker, damaged.files, random, figures)
      figures.peakBytes = checkedPeakBytes()
    } catch (error) {
      const words = `${(error as Error).stack}\nwith ${damaged.touched.join(', ')} damaged`
      throw new Error(
        `${words}\nrepeat with: node test/fuzz/fuzz.ts --directories 1 --seed ${seed + number}`,
      )
    }
    figures.directories++
  }
  return figures
}

async function startOn(
  broker: MemoryBroker,
  files: Files,
  random: Random,
  figures: DirectoryFigures,
): Promise<void> {
  broker.disk = await diskWith(files)
  broker.logger.lines.length = 0
  const entries = [...broker.metadataLog.entries]
  try {
    await inTime(broker, broker.start())
  } catch (error) {
    const code = codeOf(error)
    if (!ownCode.test(code)) throw error
    figures.refused.set(code, (figures.refused.get(code) ?? 0) + 1)
    return
  }
  figures.started++
  const client = await broker.client()
  try {
    await inTime(broker, use(client))
  } catch (error) {
    readLog(broker)
    throw error
  }
  if (oneIn(random, 10)) await broker.clock.advanceAndSettle(60_000)
  client.close()
  await inTime(broker, broker.broker.close())
  broker.metadataLog.entries = entries
  readLog(broker)
}

/** Checks that errors in the log are of these tables, which excludes a failed request. */
function readLog({ logger }: MemoryBroker): void {
  for (const { level, fields, message } of logger.lines) {
    if (level !== 'error') continue
    const { client, error } = fields as { client?: string; error?: Error }
    if (client !== undefined || (error && !ownCode.test(codeOf(error)))) {
      throw new Error(`in the log: ${message}: ${error?.stack}`)
    }
  }
}

/** Reads all records, finds offsets by time, and appends. */
async function use(client: RawClient): Promise<void> {
  for (const topic of [...directoryTopics, '__consumer_offsets', '__transaction_state']) {
    for (const timestamp of [-1, -2, -3, 0, 1_767_000_000_000]) {
      const partitions = [{ partitionIndex: 0, timestamp }]
      await client.send(listOffsets, 7, {
        replicaId: -1,
        isolationLevel: 1,
        topics: [{ name: topic, partitions }],
      })
    }
    for (const fetchOffset of [0, 1, 5, 10, 20, 40]) {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 10_000 }]
      await client.send(fetch, 11, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 100_000,
        isolationLevel: fetchOffset % 2,
        topics: [{ topic, partitions }],
      })
    }
  }
  for (const name of directoryTopics) {
    const partitionData = [{ index: 0, records: batchOf('a') }]
    await client.send(produce, 7, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name, partitionData }],
    })
  }
  const topic = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  await client.send(createTopics, 4, { timeoutMs: 1000, topics: [{ name: 'new', ...topic }] })
}

/** Advances the time until the promise is settled; fails when that does not help. */
async function inTime<T>(broker: MemoryBroker, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  promise.then(settled, settled)
  for (let turn = 0; !isSettled; turn++) {
    if (turn === patienceTurns) throw new Error('the broker hangs')
    await settle()
    if (turn % 8 === 7) broker.clock.advance(broker.clock.nextTimerInMs ?? 1000)
  }
  return promise
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code)
}
