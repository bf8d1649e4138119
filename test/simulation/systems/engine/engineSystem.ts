// The system `engine`: a job that reads a topic of a broker on another host, with keyed state, a
// shuffle, windows of event time, and outputs to a database.

import { type Random, seededRandom } from '../../../../protocol/runtime/random.ts'
import type { Fault } from '../../plan/faults.ts'
import {
  chance,
  drawFaults,
  drawHost,
  drawNetwork,
  drawRareChances,
  oneOf,
  whole,
} from '../../plan/swarm.ts'
import type { SimulatedSystem } from '../../system.ts'
import { brokerProcess } from '../broker/brokerProgram.ts'
import { withPairs } from '../scene/pairedFaults.ts'
import { brokerHost, clientHost } from '../scene/scene.ts'
import { driverProcess, stateDirectory } from './driverProgram.ts'
import { drawEngineParameters, driverHost } from './engineParameters.ts'
import { EngineSimulation, type EngineSystemPlan } from './engineSimulation.ts'

export const engineSystem: SimulatedSystem = {
  name: 'engine',
  marks: [
    ...['log: an executor died; starting another one', 'log: the job has failed'],
    ...['job failed: CHECKPOINT_FAILED', 'power lost with unsynced writes'],
    ...['log: failed to read the topics; retrying'],
    'log: the batch is too large; retrying with half of its offsets',
  ],
  drawPlan,
  run: async (plan, trace) => await new EngineSimulation(plan as EngineSystemPlan, trace).run(),
}

function drawPlan(seed: number): EngineSystemPlan {
  const random = seededRandom(seed).fork('plan')
  const safetyMs = whole(random, 600, 3000)
  const parameters = drawEngineParameters(random.fork('parameters'))
  const driver = { host: driverHost, process: driverProcess }
  const executor = { host: driverHost, process: `executor-${parameters.executors - 1}` }
  const broker = { host: brokerHost, process: brokerProcess }
  const faults = drawFaults(random.fork('faults'), {
    servers: [driver, driver, executor, broker],
    clients: [],
    safetyMs,
    expectedEvents: 5000,
  })
  return {
    system: 'engine',
    seed,
    parameters,
    network: drawNetwork(random.fork('network')),
    hosts: [driverHost, brokerHost, clientHost].map((name) => {
      return drawHost(random.fork(`host ${name}`), name)
    }),
    rare: drawRareChances(random.fork('rare')),
    faults: [
      ...failedStateWrites(random.fork('state writes'), safetyMs),
      ...withPairs(random.fork('pairs'), faults, driver, safetyMs),
    ],
    safetyMs,
    livenessMs: 120_000,
  }
}

/** Calls of the system hardly ever fail just when a state is written. On in one seed of four. */
function failedStateWrites(random: Random, safetyMs: number): Fault[] {
  if (!chance(random, 0.25)) return []
  return Array.from({ length: whole(random, 1, 3) }, () => ({
    ...{ kind: 'failCall', at: { atMs: random.below(safetyMs) }, host: driverHost },
    ...{ code: oneOf(random, ['EIO', 'ENOSPC'] as const), operation: 'write' },
    ...{ path: stateDirectory, after: random.below(10) },
  }))
}
