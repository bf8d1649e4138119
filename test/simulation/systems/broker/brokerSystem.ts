// The system `broker`: a broker with its controller, groups, transactions and logs, under the load
// of production clients and of raw ones.

import { type Random, seededRandom } from '../../../../protocol/runtime/random.ts'
import { type RarePoint, rarePoints } from '../../../../protocol/runtime/rarePoints.ts'
import type { FaultKind } from '../../plan/faults.ts'
import {
  chance,
  drawFaults,
  drawHost,
  drawNetwork,
  drawRareChances,
  whole,
} from '../../plan/swarm.ts'
import type { SimulatedSystem } from '../../system.ts'
import type { RareChances } from '../../world/seededRarePoints.ts'
import { type BrokerLoad, drawBrokerLoad, drawBrokerParameters } from './brokerParameters.ts'
import { brokerProcess } from './brokerProgram.ts'
import { type BrokerPlan, BrokerSimulation } from './brokerSimulation.ts'
import { clientsOf } from './clients/clients.ts'

const clientHosts = ['client-1', 'client-2']

const faultKinds: readonly FaultKind[] = [
  ...(['kill', 'stop', 'losePower', 'pause', 'jumpWallClock', 'cut', 'swizzle'] as const),
  ...(['breakConnections', 'slowNetwork', 'failCall', 'fillDisk', 'slowDisk'] as const),
]
const faultMarks = faultKinds.map((kind) => `fault: ${kind}`)
/** In code that this system does not run. */
const pointsOfAgents: ReadonlySet<string> = new Set<RarePoint>(['positions noted late'])
const rarePointMarks = Object.keys(rarePoints)
  .filter((point) => !pointsOfAgents.has(point))
  .map((point) => `rare: ${point}`)

/** States that about one seed of thirty or more reaches. */
const stateMarks = [
  'power lost with unsynced writes',
  'log: replayed the commit journal',
  'log: broker was not stopped cleanly: logs recovered',
  'log: a data directory has failed',
  'log: the log takes writes again',
  'log: failed to write a metadata change',
  'log: log compacted',
  'log: topic deleted',
  'a topic was created again',
  'records were deleted',
  'an old batch was sent again',
  'a transaction was committed',
  'a transaction was aborted',
  'a transaction was aborted by its timeout',
  'a producer was fenced',
  'a group was rebalanced',
  'a commit was refused after a rebalance',
  'a partition was revoked in a KIP-848 group',
  'a member of a KIP-848 group was fenced',
  'a fetch session went on',
  'a fetch session was forgotten',
  'the keys of a compacted topic were checked',
  'the keys of transactions were checked',
  'a batch was refused until the one before it is stored',
  'a write was refused behind the end of its transaction',
]

export const brokerSystem: SimulatedSystem = {
  name: 'broker',
  marks: [...faultMarks, ...rarePointMarks, ...stateMarks],
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
    rare: {
      ...drawRareChances(random.fork('rare')),
      ...drawHastyChances(random.fork('rare with hasty producers'), load),
    },
    faults: drawFaults(random.fork('faults'), {
      servers: brokers.map((host) => ({ host, process: brokerProcess })),
      clients,
      safetyMs,
      expectedEvents: 3000,
      rareFiles: [
        'checkpoint',
        '-delete',
        '.metadata',
        '.snapshot',
        'index',
        '__coordination',
        'journal',
      ],
    }),
    safetyMs,
    livenessMs: 60_000,
  }
}

/** What ends of transactions may overtake is late in most seeds with a producer that is hasty. */
function drawHastyChances(random: Random, { hasty }: BrokerLoad): RareChances {
  if (hasty === 0 || chance(random, 0.3)) return {}
  return { 'verification late': 0.5, 'offsets reported late': 0.5 }
}
