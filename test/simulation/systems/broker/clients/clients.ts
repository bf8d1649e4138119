// The clients of a plan, each with a host and a name of its own.

import type { BrokerLoad, BrokerParameters } from '../brokerParameters.ts'
import { administrator } from './administrator.ts'
import { burstProducer } from './burstProducer.ts'
import { carelessProducer } from './carelessProducer.ts'
import type { ClientProgram } from './client.ts'
import { consumerGroupMember } from './consumerGroupMember.ts'
import { groupMember } from './groupMember.ts'
import { hastyProducer } from './hastyProducer.ts'
import { idempotentProducer } from './idempotentProducer.ts'
import { keyTransactions } from './keyTransactions.ts'
import { keyWriter } from './keyWriter.ts'
import { offsetCommitter } from './offsetCommitter.ts'
import { partitionFollower, partitionRereader } from './partitionFollower.ts'
import { pipeliningProducer } from './pipeliningProducer.ts'
import { sessionReader } from './sessionReader.ts'
import { topicRecreator } from './topicRecreator.ts'
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
const consumerGroup = 'kip-848'

export function clientsOf(
  { logTopic, transactionTopic, workload }: BrokerParameters,
  load: BrokerLoad,
): ClientSpec[] {
  const clients: ClientSpec[] = []
  const add = (
    kind: string,
    count: number,
    program: (index: number) => ClientProgram,
    rest: Pick<ClientSpec, 'isWriter' | 'group'> = { isWriter: true },
  ) => {
    for (let index = 0; index < count; index++) {
      const host = `client-${1 + (index % 2)}`
      clients.push({ name: `${host}/${kind}-${index}`, program: program(index), ...rest })
    }
  }
  const transactionalId = (index: number) =>
    workload.sharesTransactionalId ? 'shared' : `transactions-${index}`
  add('producer', load.producers, () => idempotentProducer)
  add('careless', load.careless, () => carelessProducer)
  add('transactional', load.transactional, (index) => transactionalProducer(transactionalId(index)))
  add('administrator', load.administrators, () => administrator)
  add('committer', load.committers, () => offsetCommitter)
  add('keys', load.keyWriters, () => keyWriter)
  add('recreator', load.recreators, () => topicRecreator)
  add('pipelining', load.pipelining, () => pipeliningProducer)
  add('bursts', load.bursts, () => burstProducer)
  add('hasty', load.hasty, (index) => hastyProducer(`hasty-${index}`))
  add('key-transactions', load.keyTransactions, (index) => keyTransactions(`keys-${index}`))
  add('member', load.members, () => groupMember(classicGroup), {
    ...{ isWriter: false, group: classicGroup },
  })
  add('consumer', load.consumers, () => consumerGroupMember(consumerGroup), {
    ...{ isWriter: false, group: consumerGroup },
  })
  add('session', load.sessions, () => sessionReader, { isWriter: false })
  for (const { name, partitions } of [logTopic, transactionTopic]) {
    add(`follower-${name}`, partitions, (index) => partitionFollower(name, index), {
      isWriter: false,
    })
    const rereaders = load.rereaders * partitions
    add(`rereader-${name}`, rereaders, (index) => partitionRereader(name, index), {
      isWriter: false,
    })
  }
  return clients
}

export function groupsOf({ members, consumers }: BrokerLoad): string[] {
  const groups: string[] = []
  if (members > 0) groups.push(classicGroup)
  if (consumers > 0) groups.push(consumerGroup)
  return groups
}
