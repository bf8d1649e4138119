// The system `coordination`: members in processes of their own over one log, with registers,
// sessions, watches and all recipes as their load.

import { type Random, seededRandom } from '../../../../protocol/runtime/random.ts'
import type { Fault } from '../../plan/faults.ts'
import { chance, drawFaults, drawHost, drawNetwork, oneOf, whole } from '../../plan/swarm.ts'
import type { SimulatedSystem } from '../../system.ts'
import { drawCoordinationParameters } from './coordinationParameters.ts'
import { type CoordinationPlan, CoordinationSimulation } from './coordinationSimulation.ts'
import { logHost, logProcess } from './log/simulatedLog.ts'
import { memberProcess } from './memberNode.ts'

/**
 * Drift of a clock in parts per million. Two clocks differ by at most 4 percent: sessions have a
 * margin of 5, so clocks that are further apart would break a promise that nobody gives.
 */
const mostDriftPpm = 20_000

export const coordinationSystem: SimulatedSystem = {
  name: 'coordination',
  marks: [
    'append: unknown outcome was committed',
    'append: unknown outcome was a conflict',
    'append: took effect after its timeout',
    'append: abandoned at a snapshot',
    'caller: refused with no change made',
    'session: expired',
    'session: saved by the limit of a step',
    'watch: bridged by a snapshot',
    'election: lost certainty before the session expired',
    'damage: noticed through a claim',
    'damage: noticed through the chain',
    'damage: noticed as a loss',
    'damage: noticed as another log',
    'damage: noticed at a start',
    'log: the coordination log was repaired',
    'repair: from the copy of a process',
    'lock: given up in the queue',
    'barrier: passed',
  ],
  drawPlan,
  run: async (plan, trace) =>
    await new CoordinationSimulation(plan as CoordinationPlan, trace).run(),
}

function drawPlan(seed: number): CoordinationPlan {
  const random = seededRandom(seed).fork('plan')
  const safetyMs = whole(random, 8000, 30_000)
  const parameters = drawCoordinationParameters(random.fork('parameters'), safetyMs)
  const { members } = parameters
  const hosts = [logHost, ...members].map((name) => drawHost(random.fork('host'), name))
  const servers = members.map((host) => ({ host, process: memberProcess }))
  const faults = drawFaults(random.fork('faults'), {
    servers,
    clients: [{ host: logHost, process: logProcess }],
    safetyMs,
    expectedEvents: 5000,
    // The disks of members hold copies only, which LocalCopy's own tests break.
    without: new Set(['breakConnections', 'failCall', 'fillDisk', 'slowDisk']),
  })
  return {
    system: 'coordination',
    seed,
    parameters,
    network: drawNetwork(random.fork('network')),
    hosts: hosts.map((host) => ({ ...host, clock: drawClock(random.fork('clock')) })),
    rare: {},
    faults: [...faults, ...drawElections(random.fork('elections'), safetyMs)],
    safetyMs,
    livenessMs: 120_000,
  }
}

function drawClock(random: Random) {
  return {
    driftPpm: chance(random, 0.5) ? whole(random, -mostDriftPpm, mostDriftPpm) : 0,
    wallOffsetMs: chance(random, 0.3) ? whole(random, -60_000, 60_000) : 0,
  }
}

/** Pauses of the log, as the stream of a cluster has them when its leader fails. */
function drawElections(random: Random, safetyMs: number): Fault[] {
  if (!chance(random, 0.4)) return []
  return Array.from({ length: whole(random, 1, 3) }, () => ({
    kind: 'pause',
    at: { atMs: whole(random, 0, safetyMs) },
    host: logHost,
    process: logProcess,
    forMs: oneOf(random, [4000, 6500, 9000]),
  }))
}
