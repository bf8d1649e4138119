// Random histories of transactions: several producers under the same and different transactional
// ids, of both protocol versions, retries, late requests, failing appends and markers, timeouts,
// and crashes between any two steps. The simulation checks every step; this file checks the end.

import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { models } from '../../modelRuns.ts'
import {
  oldId,
  partitionCount,
  SimulatedClient,
  TransactionSimulation,
} from './transactionSimulation.ts'

type Action =
  | { readonly kind: 'init' | 'end'; readonly client: number; readonly flag: boolean }
  | { readonly kind: 'write' | 'writeAgain'; readonly client: number; readonly partition: number }
  | { readonly kind: 'endAgain'; readonly client: number }
  | { readonly kind: 'append' | 'allocate'; readonly which: number; readonly fails: boolean }
  | { readonly kind: 'markers'; readonly which: number; readonly reachable: readonly boolean[] }
  | { readonly kind: 'resume'; readonly which: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'crash'; readonly done: number; readonly marked: readonly boolean[] }

const clients = [
  { id: 'a', version: 2 },
  { id: 'a', version: 2 },
  { id: 'a', version: 0 },
  { id: 'b', version: 0 },
  { id: 'b', version: 0 },
  { id: oldId, version: 2 },
  { id: oldId, version: 0 },
] as const

const client = fc.nat(clients.length - 1)
const partition = fc.nat(partitionCount - 1)
const which = fc.nat(5)
const rarely = fc.integer({ min: 0, max: 9 }).map((number) => number === 0)
const partitions = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean())
const mostPartitions = fc.oneof(
  { weight: 4, arbitrary: fc.constant([true, true, true] as const) },
  { weight: 1, arbitrary: partitions },
)

const action: fc.Arbitrary<Action> = fc.oneof(
  weighted(3, { kind: fc.constant('init'), client, flag: fc.boolean() }),
  weighted(6, { kind: fc.constant('write'), client, partition }),
  weighted(2, { kind: fc.constant('writeAgain'), client, partition }),
  weighted(4, { kind: fc.constant('end'), client, flag: fc.boolean() }),
  weighted(2, { kind: fc.constant('endAgain'), client }),
  weighted(9, { kind: fc.constant('append'), which, fails: rarely }),
  weighted(5, { kind: fc.constant('markers'), which, reachable: mostPartitions }),
  weighted(3, { kind: fc.constant('allocate'), which, fails: rarely }),
  weighted(2, { kind: fc.constant('resume'), which }),
  weighted(1, { kind: fc.constant('advance'), ms: fc.nat(1500) }),
  weighted(1, { kind: fc.constant('crash'), done: fc.nat(4), marked: partitions }),
)

describe('TransactionCoordinator', () => {
  it('keeps its invariants in every history', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 150, size: 'max' }), (actions) => {
        const simulation = new TransactionSimulation()
        const producers = clients.map(({ id, version }) => new SimulatedClient(id, version))
        for (const each of actions) perform(simulation, producers, each)
        simulation.comeToRest()
        simulation.forgetEverything()
      }),
      { numRuns: models.transactionCoordinator.sequences },
    )
  })
})

function perform(
  simulation: TransactionSimulation,
  producers: readonly SimulatedClient[],
  each: Action,
): void {
  const client = 'client' in each ? producers[each.client]! : undefined
  if (each.kind === 'init') simulation.init(client!, each.flag)
  else if (each.kind === 'write') simulation.write(client!, each.partition)
  else if (each.kind === 'writeAgain') simulation.writeAgain(client!, each.partition)
  else if (each.kind === 'end') simulation.end(client!, each.flag)
  else if (each.kind === 'endAgain') simulation.endAgain(client!)
  else if (each.kind === 'append') simulation.completeAppend(each.which, each.fails)
  else if (each.kind === 'markers')
    simulation.completeMarkers(each.which, (at) => each.reachable[at]!)
  else if (each.kind === 'allocate') simulation.allocate(each.which, each.fails)
  else if (each.kind === 'resume') simulation.resume(each.which)
  else if (each.kind === 'advance') simulation.advance(each.ms)
  else if (each.kind === 'crash') simulation.crash(each.done, (at) => each.marked[at]!)
}

function weighted(
  weight: number,
  fields: Record<string, fc.Arbitrary<unknown>>,
): { weight: number; arbitrary: fc.Arbitrary<Action> } {
  return { weight, arbitrary: fc.record(fields) as unknown as fc.Arbitrary<Action> }
}
