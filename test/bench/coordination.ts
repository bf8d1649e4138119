// Coordination: proposals a second and their latency, embedded and over NATS; the way of a change
// to the watch of another member; memory of a large tree; many sessions. Baselines: LevelDB or the
// stream of NATS itself, with the same bytes and as many writes in flight.

import { join } from 'node:path'
import type { Coordination, Session } from '../../protocol/coordination/coordination.ts'
import { openEmbeddedCoordination } from '../../protocol/coordination/embeddedCoordination.ts'
import { openLevelLog } from '../../protocol/coordination/log/levelLog.ts'
import { connectNats } from '../../protocol/coordination/log/nats/natsLink.ts'
import { openMember } from '../../protocol/coordination/member/member.ts'
import { openNatsCoordination } from '../../protocol/coordination/natsCoordination.ts'
import { planNats } from '../../protocol/coordination/natsOptions.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { openLevelStore } from '../../protocol/runtime/store/levelStore.ts'
import { silentLogger as logger } from '../../protocol/telemetry/logging/logger.ts'
import { currentNatsServer, debianNatsServer, type NatsBinary } from '../peers/natsBinary.ts'
import { NatsServers } from '../peers/natsServers.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'
import { treeMemory } from './harness/treeMemory.ts'

export const description = 'coordination: proposals, watches, sessions, memory of a tree'

const runtime = nodeRuntime(tcpNetwork)
const dataBytes = 100
/** Callers that each wait for an answer before the next proposal. */
const callers = 256
/** Enough for the 10,000 proposals a second that coordination aims at. */
const fewCallers = 32
const nodes = 100_000
const sessions = 1000

export async function run({ seconds, directory, only = '' }: BenchOptions): Promise<Row[]> {
  const parts: readonly (readonly [string, () => Promise<Row[]>])[] = [
    ['embedded', () => embedded(seconds, join(directory, 'embedded'))],
    ['NATS', () => overNats(seconds)],
    ['sessions', () => manySessions(seconds, join(directory, 'sessions'))],
    ['tree', () => memory()],
  ]
  const rows: Row[] = []
  for (const [name, measure] of parts) if (name.includes(only)) rows.push(...(await measure()))
  return rows
}

async function embedded(seconds: number, directory: string): Promise<Row[]> {
  const baseline = await levelWrites(seconds, `${directory}-level`)
  const options = { runtime, logger, name: 'bench', makeRoom: async () => false }
  const coordination = await openEmbeddedCoordination({ ...options, directory })
  const rows = [
    ...rowsOf('embedded', await proposals(coordination, callers, seconds), baseline),
    ...rowsOf(
      `embedded, ${fewCallers} callers`,
      await proposals(coordination, fewCallers, seconds),
    ),
    ...rowsOf('embedded, one caller', await proposals(coordination, 1, seconds)),
  ]
  await coordination.close()
  return rows
}

/** As many puts in flight, each batch synced. */
async function levelWrites(seconds: number, directory: string): Promise<Timings> {
  const store = await openLevelStore(directory)
  const value = Buffer.alloc(dataBytes)
  const timings: number[] = []
  let written = 0
  const endMs = performance.now() + seconds * 1000
  const startMs = performance.now()
  while (performance.now() < endMs) {
    const beganMs = performance.now()
    const changes = Array.from({ length: callers }, () => {
      return { type: 'put', key: Buffer.from(String(written++)), value } as const
    })
    await store.write(changes)
    timings.push(performance.now() - beganMs)
  }
  const perSecond = written / ((performance.now() - startMs) / 1000)
  await store.close()
  return { perSecond, p50Ms: quantile(timings, 0.5), p99Ms: quantile(timings, 0.99) }
}

async function overNats(seconds: number): Promise<Row[]> {
  const rows: Row[] = []
  const [one, three] = [debianNatsServer(), await currentNatsServer()]
  if (one) rows.push(...(await onServers(seconds, `one server ${one.version}`, one, 1)))
  if (three) rows.push(...(await onServers(seconds, `three servers ${three.version}`, three, 3)))
  return rows
}

async function onServers(
  seconds: number,
  name: string,
  binary: NatsBinary,
  count: 1 | 3,
): Promise<Row[]> {
  const servers = await NatsServers.start({ binary, count, syncsAlways: count === 3 })
  try {
    const texts = {
      'coordination.nats.servers': servers.addresses.join(','),
      'coordination.nats.sync.always': 'true',
    }
    const plan = (await planNats(texts, async () => ''))!
    const open = (who: string) => openNatsCoordination({ runtime, logger, plan, name: who })
    const [writer, watcher] = [await open('writer'), await open('watcher')]
    const load = await proposals(writer, callers, seconds)
    const light = await proposals(writer, fewCallers, seconds)
    const latency = await watchLatency(writer, watcher, seconds)
    await watcher.close()
    await writer.close()
    return [
      ...rowsOf(`NATS, ${name}`, load, await bareAppends(seconds, servers.addresses)),
      ...rowsOf(`NATS, ${name}, ${fewCallers} callers`, light),
      row(`NATS, ${name}: change to watch, median`, latency.p50Ms, 'ms', load.p50Ms),
      row(`NATS, ${name}: change to watch, p99`, latency.p99Ms, 'ms', load.p99Ms),
    ]
  } finally {
    await servers.close()
  }
}

/** Appends to a stream of its own, one after another, with the expected last sequence. */
async function bareAppends(seconds: number, servers: readonly string[]): Promise<Timings> {
  const link = await connectNats({ servers }, runtime)
  await link.api('create a stream', (streams) =>
    streams.add({ name: 'bare', subjects: ['bare'], num_replicas: servers.length }),
  )
  let sequence = 0
  const bytes = Buffer.alloc(dataBytes)
  const timings = await repeated(seconds, async () => {
    await link.append('bare', bytes, { stream: 'bare', lastSequence: sequence++ })
  })
  await link.close()
  return timings
}

async function manySessions(seconds: number, directory: string): Promise<Row[]> {
  const members = 20
  const { clock, random, scheduler } = runtime
  const makeRoom = async () => false
  const log = await openLevelLog({ directory, makeRoom, clock, random })
  const opened: Coordination[] = []
  for (let at = 0; at < members; at++) {
    const name = `member ${at}`
    opened.push(await openMember({ log: log.open(name), clock, random, scheduler, logger, name }))
  }
  const held: Session[] = []
  for (let at = 0; at < sessions; at++) {
    const member = opened[at % members]!
    held.push(await member.openSession({ timeoutMs: 9000, name: `session ${at}` }))
  }
  const before = { cpu: process.cpuUsage(), entry: opened[0]!.figures().sequence }
  const startMs = performance.now()
  await new Promise<void>((resolve) => clock.setTimer(Math.max(seconds, 3) * 1000, resolve))
  const elapsed = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(before.cpu)
  const entries = opened[0]!.figures().sequence - before.entry
  const ended = held.filter(({ hasEnded }) => hasEnded).length
  for (const member of opened) await member.close()
  await log.close()
  return [
    row(`sessions: ${sessions} of ${members} members, ended`, ended, 'sessions'),
    row('sessions: entries that keep them', entries / elapsed, '/s'),
    row('sessions: processor time of all members', (user + system) / 1e4 / elapsed, '% of a core'),
  ]
}

async function memory(): Promise<Row[]> {
  const { heapBytes, residentBytes } = await treeMemory(nodes, dataBytes)
  const data = (nodes * dataBytes) / 1e6
  return [
    row(`tree of ${nodes} nodes: heap and buffers`, heapBytes / 1e6, 'MB', data),
    row(`tree of ${nodes} nodes: resident memory added`, residentBytes / 1e6, 'MB', data),
  ]
}

interface Timings {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

function rowsOf(name: string, ours: Timings, baseline?: Timings): Row[] {
  return [
    row(`${name}: proposals`, ours.perSecond, '/s', baseline?.perSecond),
    row(`${name}: median`, ours.p50Ms, 'ms', baseline?.p50Ms),
    row(`${name}: p99`, ours.p99Ms, 'ms', baseline?.p99Ms),
  ]
}

async function proposals(member: Coordination, count: number, seconds: number): Promise<Timings> {
  const data = Buffer.alloc(dataBytes)
  const path = (caller: number) => `/bench-${count}-${caller}`
  for (let caller = 0; caller < count; caller++) {
    await member.transact([{ type: 'create', path: path(caller), data }])
  }
  const timings: number[] = []
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  await Promise.all(
    Array.from({ length: count }, async (_, caller) => {
      while (performance.now() < endMs) {
        const beganMs = performance.now()
        await member.transact([{ type: 'set', path: path(caller), data }])
        timings.push(performance.now() - beganMs)
      }
    }),
  )
  const perSecond = timings.length / ((performance.now() - startMs) / 1000)
  return { perSecond, p50Ms: quantile(timings, 0.5), p99Ms: quantile(timings, 0.99) }
}

async function watchLatency(
  writer: Coordination,
  watcher: Coordination,
  seconds: number,
): Promise<Timings> {
  const path = '/watched'
  await writer.transact([{ type: 'create', path, data: Buffer.alloc(0) }])
  await watcher.sync()
  let heard = () => {}
  watcher.watch(path, 'node', { onEvent: () => heard() })
  return await repeated(seconds, async () => {
    const event = new Promise<void>((resolve) => {
      heard = resolve
    })
    await writer.transact([{ type: 'set', path, data: Buffer.alloc(dataBytes) }])
    await event
  })
}

/** Runs the task again and again, one run after another. */
async function repeated(seconds: number, task: () => Promise<void>): Promise<Timings> {
  const timings: number[] = []
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  while (performance.now() < endMs) {
    const beganMs = performance.now()
    await task()
    timings.push(performance.now() - beganMs)
  }
  const perSecond = timings.length / ((performance.now() - startMs) / 1000)
  return { perSecond, p50Ms: quantile(timings, 0.5), p99Ms: quantile(timings, 0.99) }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
