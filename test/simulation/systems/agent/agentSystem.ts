// The system `agent`: an agent that follows log files and delivers their lines to a broker on
// another host.

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
import {
  agentHost,
  cutMs,
  drawAgentParameters,
  drawFullDisk,
  type WriterStep,
} from './agentParameters.ts'
import { agentProcess } from './agentProgram.ts'
import { AgentSimulation, type AgentSystemPlan } from './agentSimulation.ts'

const hosts = [agentHost, brokerHost, clientHost]

export const agentSystem: SimulatedSystem = {
  name: 'agent',
  marks: [
    ...['files: rename', 'files: remove', 'files: truncate', 'files: copyTruncate'],
    ...['an inode was used again', 'a take was rolled back', 'power lost with unsynced writes'],
    ...['a channel was recovered with events', 'a memory channel repeated lines'],
    ...['log: channel refused a put, will retry', 'log: the channel log can be written again'],
    'log: file was truncated: reading from its start',
    'channels were drained on a full disk',
    'rare: positions noted late',
  ],
  drawPlan,
  run: async (plan, trace) => await new AgentSimulation(plan as AgentSystemPlan, trace).run(),
}

function drawPlan(seed: number): AgentSystemPlan {
  const random = seededRandom(seed).fork('plan')
  const safetyMs = whole(random, 600, 4000)
  const agent = { host: agentHost, process: agentProcess }
  const broker = { host: brokerHost, process: brokerProcess }
  const faults = drawFaults(random.fork('faults'), {
    servers: [agent, agent, broker],
    clients: [],
    safetyMs,
    expectedEvents: 6000,
  })
  const drawn = drawAgentParameters(random.fork('parameters'), safetyMs)
  const withFullDisk = drawFullDisk(random.fork('full disk'), drawn, safetyMs)
  const parameters = withFullDisk ?? drawn
  const kills = drawKillsAfterTruncation(random.fork('truncations'), parameters.steps)
  return {
    system: 'agent',
    seed,
    parameters,
    network: drawNetwork(random.fork('network')),
    hosts: hosts.map((name) => drawHost(random.fork(`host ${name}`), name)),
    rare: drawRareChances(random.fork('rare')),
    faults: withPairs(
      random.fork('pairs'),
      [...kills, ...faults, ...(withFullDisk ? [cutBeforeFullDisk(safetyMs)] : [])],
      agent,
      safetyMs,
    ),
    safetyMs,
    livenessMs: 120_000,
  }
}

/** So that the channels have events. */
function cutBeforeFullDisk(safetyMs: number): Fault {
  const at = { atMs: safetyMs - cutMs }
  return { kind: 'cut', at, host: agentHost, to: brokerHost, isOneWay: false, forMs: 2 * cutMs }
}

/**
 * A SIGKILL soon after a file was truncated, before its position is noted, in one seed of three.
 */
function drawKillsAfterTruncation(random: Random, steps: readonly WriterStep[]): Fault[] {
  const truncatedMs = steps.flatMap((step) => {
    if (step.kind === 'truncate') return [step.atMs]
    return step.kind === 'copyTruncate' ? [step.atMs + step.copyMs + step.truncateMs] : []
  })
  if (truncatedMs.length === 0 || !chance(random, 0.33)) return []
  const atMs = oneOf(random, truncatedMs) + whole(random, 5, oneOf(random, [50, 300]))
  return [
    {
      kind: 'kill',
      at: { atMs },
      host: agentHost,
      process: agentProcess,
      downMs: oneOf(random, [0, 100]),
    },
  ]
}
