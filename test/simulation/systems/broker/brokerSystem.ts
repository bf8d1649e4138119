// The system `broker`: a broker with its controller, groups, transactions and logs, under the load
// of production clients and of raw ones.

import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { drawFaults, drawHost, drawNetwork, drawRareChances, whole } from '../../plan/swarm.ts'
import type { SimulatedSystem } from '../../system.ts'
import { drawBrokerLoad, drawBrokerParameters } from './brokerParameters.ts'
import { brokerProcess } from './brokerProgram.ts'
import { type BrokerPlan, BrokerSimulation } from './brokerSimulation.ts'
import { clientsOf } from './clients/clients.ts'

const clientHosts = ['client-1', 'client-2']

export const brokerSystem: SimulatedSystem = {
  name: 'broker',
  marks: [],
  drawPlan,
  run: async (plan, trace) => await new BrokerSimulation(plan as BrokerPlan, trace).run(),
}

function drawPlan(seed: number): BrokerPlan {
  const random = seededRandom(seed).fork('plan')
  const parameters = drawBrokerParameters(random.fork('parameters'))
  const load = drawBrokerLoad(random.fork('load'))
  const brokers = parameters.brokers.map(({ host }) => host)
  const safetyMs = whole(random, 400, 2000)
  const clients = clientsOf(parameters, load).map(({ name }) => {
    const [host, process] = name.split('/') as [string, string]
    return { host, process }
  })
  return {
    system: 'broker',
    seed,
    parameters,
    load,
    network: drawNetwork(random.fork('network')),
    hosts: [...brokers, ...clientHosts].map((name) => drawHost(random.fork('host'), name)),
    rare: drawRareChances(random.fork('rare')),
    faults: drawFaults(random.fork('faults'), {
      servers: brokers.map((host) => ({ host, process: brokerProcess })),
      clients,
      safetyMs,
      expectedEvents: 3000,
    }),
    safetyMs,
    livenessMs: 60_000,
  }
}
