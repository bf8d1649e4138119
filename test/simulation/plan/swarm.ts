// Draws what any system can be subjected to: swarm options as TigerBeetle's simulator has them.
// Each seed switches each kind of fault on or off and draws how often it happens, so that some runs
// have nothing but pauses, and others everything at once.

import type { Random } from '../../../protocol/runtime/random.ts'
import type { RarePoint } from '../../../protocol/runtime/rarePoints.ts'
import { rarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { DiskErrorCode } from '../world/disk/diskFaults.ts'
import type { SimulatedDiskOptions } from '../world/disk/simulatedDisk.ts'
import type { Latency } from '../world/latency.ts'
import { type NetworkOptions, quietNetwork } from '../world/network/simulatedNetwork.ts'
import type { RareChances } from '../world/seededRarePoints.ts'
import type { Fault, FaultKind, Trigger } from './faults.ts'
import type { HostPlan } from './plan.ts'

/** Where faults may strike. */
export interface FaultTargets {
  /** Hosts whose disk holds what must survive, with the process that runs there. */
  readonly servers: readonly { readonly host: string; readonly process: string }[]
  readonly clients: readonly { readonly host: string; readonly process: string }[]
  readonly safetyMs: number
  /** Events that a run is expected to have, for triggers that count events. */
  readonly expectedEvents: number
  /** Parts of the paths of files that are used seldom: half of the calls that fail are of these. */
  readonly rareFiles?: readonly string[]
  /** Kinds that the system cannot stand. */
  readonly without?: ReadonlySet<FaultKind>
}

type Draw = (random: Random, targets: FaultTargets, at: Trigger) => Fault

export function chance(random: Random, probability: number): boolean {
  return random.float() < probability
}

export function between(random: Random, from: number, to: number): number {
  return from + random.float() * (to - from)
}

export function whole(random: Random, from: number, to: number): number {
  return from + random.below(to - from + 1)
}

export function oneOf<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)]!
}

export function drawNetwork(random: Random): NetworkOptions {
  const isQuiet = chance(random, 0.25)
  const often = (probability: number, most: number) =>
    !isQuiet && chance(random, probability) ? round(random.float() * most) : 0
  return {
    link: {
      latency: drawLatencyOptions(random, isQuiet ? 0.2 : 3),
      lossChance: often(0.3, 0.1),
      retransmitMs: Math.round(between(random, 20, 250)),
      resetChance: often(0.3, 0.01),
      datagramLossChance: often(0.5, 0.3),
      duplicateChance: often(0.5, 0.5),
      bytesPerMs: chance(random, 0.2) ? whole(random, 200, 5000) : quietNetwork.link.bytesPerMs,
    },
    pipe: {
      kernelBytes: oneOf(random, [4096, 65_536, 131_072]),
      segmentBytes: oneOf(random, [64, 1460, 65_536]),
      giveUpMs: whole(random, 500, 3000),
    },
  }
}

function drawLatencyOptions(random: Random, meanMs: number): Latency {
  return {
    minMs: round(random.float() * 0.3),
    meanMs: round(random.float() * meanMs),
    slowChance: chance(random, 0.3) ? round(random.float() * 0.02) : 0,
    slowFactor: whole(random, 10, 300),
  }
}

export function drawHost(random: Random, name: string): HostPlan {
  return {
    name,
    clock: {
      driftPpm: chance(random, 0.5) ? whole(random, -500, 500) : 0,
      wallOffsetMs: chance(random, 0.3) ? whole(random, -60_000, 60_000) : 0,
    },
    disk: drawDisk(random),
  }
}

function drawDisk(random: Random): SimulatedDiskOptions {
  return {
    read: drawLatencyOptions(random, 0.1),
    write: drawLatencyOptions(random, 0.2),
    sync: drawLatencyOptions(random, oneOf(random, [0.3, 2, 10])),
  }
}

/** Each point is on in one seed of four, with a chance of its own. */
export function drawRareChances(random: Random): RareChances {
  const chances: Partial<Record<RarePoint, number>> = {}
  for (const point of Object.keys(rarePoints) as RarePoint[]) {
    const own = random.fork(point)
    if (chance(own, 0.25)) chances[point] = round(oneOf(own, [0.02, 0.2, 0.9]))
  }
  return chances
}

/** How often each kind strikes in a run in which it is on, at most. */
const kinds: Readonly<Record<FaultKind, { readonly most: number; readonly draw: Draw }>> = {
  kill: {
    most: 4,
    draw: (random, targets, at) => ({
      ...{ kind: 'kill', at, ...anyProcess(random, targets), downMs: downMs(random) },
    }),
  },
  stop: {
    most: 3,
    draw: (random, { servers }, at) => ({
      ...{ kind: 'stop', at, ...oneOf(random, servers), downMs: downMs(random) },
    }),
  },
  losePower: {
    most: 4,
    draw: (random, { servers }, at) => ({
      kind: 'losePower',
      at,
      host: oneOf(random, servers).host,
      losesAll: chance(random, 0.4),
      reorders: chance(random, 0.5),
      downMs: downMs(random),
    }),
  },
  pause: {
    most: 4,
    draw: (random, targets, at) => ({
      kind: 'pause',
      at,
      ...anyProcess(random, targets),
      forMs: duration(random, targets),
    }),
  },
  jumpWallClock: {
    most: 4,
    draw: (random, targets, at) => ({
      kind: 'jumpWallClock',
      at,
      host: anyProcess(random, targets).host,
      byMs: whole(random, -1, 1) * whole(random, 1, 20_000) || 600_000,
    }),
  },
  cut: {
    most: 4,
    draw: (random, targets, at) => {
      const [host, to] = twoHosts(random, targets)
      const isOneWay = chance(random, 0.5)
      return { kind: 'cut', at, host, to, isOneWay, forMs: duration(random, targets) }
    },
  },
  swizzle: {
    most: 2,
    draw: (random, targets, at) => ({
      kind: 'swizzle',
      at,
      host: oneOf(random, targets.servers).host,
      stepMs: whole(random, 1, 100),
      forMs: duration(random, targets),
    }),
  },
  breakConnections: {
    most: 8,
    draw: (random, { servers }, at) => ({
      kind: 'breakConnections',
      at,
      host: oneOf(random, servers).host,
      chance: oneOf(random, [0.2, 0.5, 1]),
    }),
  },
  slowNetwork: {
    most: 3,
    draw: (random, targets, at) => ({
      kind: 'slowNetwork',
      at,
      host: oneOf(random, targets.servers).host,
      factor: oneOf(random, [5, 50, 500]),
      forMs: duration(random, targets),
    }),
  },
  failCall: {
    most: 4,
    draw: (random, { servers, rareFiles = [] }, at) => {
      const isRare = rareFiles.length > 0 && chance(random, 0.5)
      return {
        kind: 'failCall',
        at,
        host: oneOf(random, servers).host,
        code: oneOf<DiskErrorCode>(random, ['EIO', 'ENOSPC', 'ENOSPC', 'EMFILE']),
        ...(isRare && { path: oneOf(random, rareFiles) }),
        after: random.below(oneOf(random, isRare ? [1, 4] : [2, 10, 40])),
      }
    },
  },
  fillDisk: {
    most: 2,
    draw: (random, targets, at) => ({
      kind: 'fillDisk',
      at,
      host: oneOf(random, targets.servers).host,
      forMs: duration(random, targets),
    }),
  },
  slowDisk: {
    most: 3,
    draw: (random, targets, at) => ({
      kind: 'slowDisk',
      at,
      host: oneOf(random, targets.servers).host,
      factor: oneOf(random, [10, 100, 1000]),
      forMs: duration(random, targets),
    }),
  },
}

/** In the order of their times, so that a plan reads as a timeline. */
export function drawFaults(random: Random, targets: FaultTargets): Fault[] {
  const faults: Fault[] = []
  for (const [kind, { most, draw }] of Object.entries(kinds)) {
    const own = random.fork(kind)
    if (targets.without?.has(kind as FaultKind) || !chance(own, 0.4)) continue
    const count = 1 + own.below(most)
    for (let at = 0; at < count; at++) faults.push(draw(own, targets, drawTrigger(own, targets)))
  }
  return faults.sort((one, other) => roughly(one.at, targets) - roughly(other.at, targets))
}

function drawTrigger(random: Random, { safetyMs, expectedEvents }: FaultTargets): Trigger {
  if (chance(random, 0.5)) return { afterEvents: random.below(expectedEvents) }
  return { atMs: Math.round(random.float() * safetyMs) }
}

function roughly(at: Trigger, { safetyMs, expectedEvents }: FaultTargets): number {
  return 'atMs' in at ? at.atMs : (at.afterEvents / expectedEvents) * safetyMs
}

function anyProcess(random: Random, { servers, clients }: FaultTargets) {
  return chance(random, 0.7) || clients.length === 0
    ? oneOf(random, servers)
    : oneOf(random, clients)
}

function twoHosts(random: Random, { servers, clients }: FaultTargets): [string, string] {
  const server = oneOf(random, servers).host
  const others = [...servers, ...clients].map(({ host }) => host).filter((name) => name !== server)
  const other = oneOf(random, others)
  return chance(random, 0.5) ? [server, other] : [other, server]
}

/** Mostly short: a system that is hardly ever up does nothing. */
function downMs(random: Random): number {
  return oneOf(random, [0, 10, 100, 500])
}

function duration(random: Random, { safetyMs }: FaultTargets): number {
  return Math.round(oneOf(random, [0.005, 0.05, 0.3]) * safetyMs * (0.5 + random.float()))
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
