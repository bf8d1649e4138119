// The clients of a plan, each with a host and a name of its own.

import type { BrokerParameters, Workload } from '../brokerParameters.ts'
import { administrator } from './administrator.ts'
import { carelessProducer } from './carelessProducer.ts'
import type { ClientProgram } from './client.ts'
import { groupMember } from './groupMember.ts'
import { idempotentProducer } from './idempotentProducer.ts'
import { offsetCommitter } from './offsetCommitter.ts'
import { partitionFollower } from './partitionFollower.ts'
import { transactionalProducer } from './transactionalProducer.ts'

export interface ClientSpec {
  /** Host and process: `client-1/producer-0`. */
  readonly name: string
  readonly program: ClientProgram
  /** Whether it is done when it has completed what it began; readers go on until all was read. */
  readonly isWriter: boolean
  readonly group?: string
}

const classicGroup = 'classic'

export function clientsOf(
  { logTopic, transactionTopic }: BrokerParameters,
  workload: Workload,
): ClientSpec[] {
  const clients: ClientSpec[] = []
  const add = (
    kind: string,
    count: number,
    program: (index: number) => ClientProgram,
    rest: Pick<ClientSpec, 'isWriter' | 'group'> = { isWriter: true },
  ) => {
    for (let index = 0; index < count; index++) {
      const host = `client-${1 + (clients.length % 2)}`
      clients.push({ name: `${host}/${kind}-${index}`, program: program(index), ...rest })
    }
  }
  const transactionalId = (index: number) =>
    workload.sharesTransactionalId ? 'shared' : `transactions-${index}`
  add('producer', workload.producers, () => idempotentProducer)
  add('careless', workload.careless, () => carelessProducer)
  add('transactional', workload.transactional, (index) =>
    transactionalProducer(transactionalId(index)),
  )
  add('administrator', workload.administrators, () => administrator)
  add('committer', workload.committers, () => offsetCommitter)
  add('member', workload.members, () => groupMember(classicGroup), {
    ...{ isWriter: false, group: classicGroup },
  })
  for (const { name, partitions } of [logTopic, transactionTopic]) {
    add(`follower-${name}`, partitions, (index) => partitionFollower(name, index), {
      isWriter: false,
    })
  }
  return clients
}

export function groupsOf({ members }: Workload): string[] {
  return members > 0 ? [classicGroup] : []
}
