// The system `agent`: an agent that follows log files and delivers their lines to a broker on
// another host.

import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { drawFaults, drawHost, drawNetwork, drawRareChances, whole } from '../../plan/swarm.ts'
import type { SimulatedSystem } from '../../system.ts'
import { brokerProcess } from '../broker/brokerProgram.ts'
import { withPairs } from '../scene/pairedFaults.ts'
import { brokerHost, clientHost } from '../scene/scene.ts'
import { agentHost, drawAgentParameters } from './agentParameters.ts'
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
  return {
    system: 'agent',
    seed,
    parameters: drawAgentParameters(random.fork('parameters'), safetyMs),
    network: drawNetwork(random.fork('network')),
    hosts: hosts.map((name) => drawHost(random.fork(`host ${name}`), name)),
    rare: drawRareChances(random.fork('rare')),
    faults: withPairs(random.fork('pairs'), faults, agent, safetyMs),
    safetyMs,
    livenessMs: 120_000,
  }
}
