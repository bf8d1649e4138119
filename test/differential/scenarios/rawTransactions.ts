// Transactions, request by request, in both versions (version 2 of KIP-890 begins with EndTxn 5):
// refusals, the records that consumers of both isolation levels see, and the answers to
// administrators.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { describeProducers } from '../../../protocol/kafka/apis/describeProducers.ts'
import { describeTransactions } from '../../../protocol/kafka/apis/describeTransactions.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { Scenario } from '../scenario.ts'

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

class Transactional {
  readonly #probe: Probe
  readonly #topic: string
  readonly id: string

  constructor(probe: Probe, topic: string, base = 'tx') {
    this.#probe = probe
    this.#topic = topic
    this.id = probe.stage.name(base)
  }

  /** Retries while the answer is CONCURRENT_TRANSACTIONS, because markers are being written. */
  async init(
    label: string,
    {
      transactionTimeoutMs = 30_000,
      ...more
    }: Partial<Identity> & { transactionTimeoutMs?: number } = {},
  ): Promise<Identity> {
    const body = { transactionalId: this.id, transactionTimeoutMs, ...more }
    const answer = await this.#settled(() => this.#probe.send(initProducerId, 5, body))
    this.#probe.answers[label] = this.#probe.stage.naming.plain(answer)
    return answer
  }

  async add(
    label: string,
    { producerId, producerEpoch }: Identity,
    topic = this.#topic,
    partitions = [0],
  ): Promise<void> {
    const answer = await this.#settled(async () => {
      const added = await this.#probe.send(addPartitionsToTxn, 3, {
        v3AndBelowTransactionalId: this.id,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions }],
      })
      const results = added.resultsByTopicV3AndBelow[0]!.resultsByPartition
      return { errorCode: results[0]!.partitionErrorCode, results }
    })
    this.#probe.answers[label] = answer.results.map((each) => errorName(each.partitionErrorCode))
  }

  async append(
    label: string,
    { producerId, producerEpoch }: Identity,
    baseSequence: number,
    values: string[],
    version = 11,
  ): Promise<void> {
    const batch = this.#probe.batch(values, {
      producerId,
      producerEpoch,
      baseSequence,
      isTransactional: true,
    })
    const answer = await this.#settled(() =>
      this.#probe.append(this.#topic, batch, { version, transactionalId: this.id }),
    )
    this.#probe.answers[label] = this.#probe.stage.naming.plain(answer)
  }

  async end(
    label: string,
    { producerId, producerEpoch }: Identity,
    committed: boolean,
    version = 4,
  ): Promise<Identity> {
    const body = { transactionalId: this.id, producerId, producerEpoch, committed }
    const answer = await this.#settled(() => this.#probe.send(endTxn, version, body))
    this.#probe.answers[label] = this.#probe.stage.naming.plain(answer)
    return answer
  }

  /** Waits until the last stable offset has reached the end, then returns both views. */
  async views(label: string): Promise<void> {
    const latest = async (isolationLevel: number) =>
      (
        await this.#probe.send(listOffsets, 7, {
          ...{ replicaId: -1, isolationLevel },
          topics: [{ name: this.#topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
        })
      ).topics[0]!.partitions[0]!.offset
    while ((await latest(0)) !== (await latest(1))) {}
    await this.openViews(label)
  }

  async openViews(label: string): Promise<void> {
    const { plain } = { plain: (value: unknown) => this.#probe.stage.naming.plain(value) }
    this.#probe.answers[`${label}: uncommitted`] = plain(await this.#probe.read(this.#topic, 0, 0))
    this.#probe.answers[`${label}: committed`] = plain(await this.#probe.read(this.#topic, 0, 1))
  }

  async #settled<T extends { errorCode: number }>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      const answer = await ask()
      if (errorName(answer.errorCode) !== 'CONCURRENT_TRANSACTIONS') return answer
    }
  }
}

export const rawTransactions: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'transactions-1',
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t')
      const tx = new Transactional(probe, name)
      await probe.ask('empty id', initProducerId, 5, {
        transactionalId: '',
        transactionTimeoutMs: 1000,
      })
      await tx.init('no timeout', { transactionTimeoutMs: 0 })
      await tx.init('too long a timeout', { transactionTimeoutMs: 10_000_000 })
      await tx.init('unknown identity', { producerId: 4711, producerEpoch: 3 })
      await tx.init('id without epoch', { producerId: 4711 })
      const first = await tx.init('begins')
      await tx.end('ends nothing', first, true)
      await tx.end('aborts nothing', first, false)
      await tx.append('writes without adding', first, 0, ['a'])
      await tx.add('adds an unknown topic', first, stage.name('none'))
      await tx.add('adds', first)
      await tx.append('writes', first, 0, ['a', 'b'])
      await tx.append('writes more', first, 2, ['c'])
      await tx.openViews('open')
      await probe.ask('described', describeTransactions, 0, {
        transactionalIds: [tx.id, stage.name('none'), ''],
      })
      await probe.ask('its producers', describeProducers, 0, {
        topics: [
          { name, partitionIndexes: [0, 5] },
          { name: stage.name('none'), partitionIndexes: [0] },
        ],
      })
      const listed = await probe.send(listTransactions, 1, {
        stateFilters: ['Ongoing', 'Nonsense'],
        producerIdFilters: [first.producerId],
      })
      probe.answers.listed = stage.naming.plain(listed)
      await tx.end('commits', first, true)
      await tx.end('commits again', first, true)
      await tx.end('aborts what is committed', first, false)
      await tx.views('committed')
      await tx.add('adds again', first)
      await tx.append('writes again', first, 3, ['d', 'e'])
      await tx.end('aborts', first, false)
      await tx.end('aborts again', first, false)
      await tx.end('commits what is aborted', first, true)
      await tx.views('aborted')
      await tx.add('a third time', first)
      await tx.append('the third writes', first, 5, ['f'])
      const second = await tx.init('a successor')
      await tx.end('the fenced ends', first, true)
      await tx.add('the fenced adds', first)
      await tx.append('the fenced writes', first, 6, ['g'])
      await tx.views('after the successor')
      await tx.init('by its identity', second)
      await tx.init('by the old identity', first)
      await tx.end('a wrong producer', { producerId: 4711, producerEpoch: 0 }, true)
      await probe.ask('its producers at last', describeProducers, 0, {
        topics: [{ name, partitionIndexes: [0] }],
      })
    }),
  },
  {
    client: 'raw',
    name: 'transactions-2',
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t')
      const tx = new Transactional(probe, name)
      const first = await tx.init('begins')
      await tx.append('writes, adding by itself', first, 0, ['a'], 12)
      await tx.append('writes more', first, 1, ['b'], 12)
      await probe.ask('described', describeTransactions, 0, { transactionalIds: [tx.id] })
      const second = await tx.end('commits', first, true, 5)
      await tx.end('commits again', first, true, 5)
      await tx.end('aborts what is committed', first, false, 5)
      await tx.append('in the old epoch', first, 2, ['x'], 12)
      await tx.append('not from 0', second, 7, ['x'], 12)
      await tx.append('in the new epoch', second, 0, ['c'], 12)
      const third = await tx.end('aborts', second, false, 5)
      const fourth = await tx.end('aborts nothing', third, false, 5)
      await tx.end('commits nothing', fourth, true, 5)
      await tx.views('in the end')
      await probe.ask('described in the end', describeTransactions, 0, {
        transactionalIds: [tx.id],
      })
      await probe.ask('verified', addPartitionsToTxn, 5, {
        transactions: [
          {
            transactionalId: stage.name('none'),
            producerId: 1,
            producerEpoch: 0,
            verifyOnly: true,
            topics: [{ name, partitions: [0] }],
          },
        ],
      })
    }),
  },
  {
    client: 'raw',
    name: 'transactional-offsets',
    differs: [
      {
        at: 'adds offsets of no group.errorCode',
        kafka: 'NONE',
        ours: 'INVALID_GROUP_ID',
        why: 'refused early, and not only at the commit of offsets, which no group can have',
      },
    ],
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t')
      const groupId = stage.name('g')
      const tx = new Transactional(probe, name)
      const identity = await tx.init('begins')
      const { producerId, producerEpoch } = identity
      const whose = { transactionalId: tx.id, producerId, producerEpoch, groupId }
      const commit = (
        label: string,
        version: number,
        more: {
          memberId?: string
          generationId?: number
          name?: string
          producerEpoch?: number
        } = {},
      ) => {
        const { name: topic = name, ...rest } = more
        return probe.ask(label, txnOffsetCommit, version, {
          ...{ ...whose, ...rest },
          topics: [
            {
              name: topic,
              partitions: [{ partitionIndex: 0, committedOffset: 9, committedMetadata: 'in' }],
            },
          ],
        })
      }
      const offsets = async (label: string, requireStable: boolean) =>
        await probe.ask(label, offsetFetch, 8, {
          groups: [{ groupId, topics: [{ name, partitionIndexes: [0] }] }],
          requireStable,
        })
      await probe.ask('adds offsets', addOffsetsToTxn, 3, whose)
      await probe.ask('adds offsets of another', addOffsetsToTxn, 3, { ...whose, producerEpoch: 7 })
      await probe.ask('adds offsets of no group', addOffsetsToTxn, 3, { ...whose, groupId: '' })
      await commit('commits offsets', 3)
      await commit('as an unknown member', 3, { memberId: 'nobody', generationId: 1 })
      await commit('of an unknown topic', 3, { name: stage.name('none') })
      await commit('in a newer epoch', 3, { producerEpoch: 8 })
      await offsets('pending', false)
      await offsets('pending, stable wanted', true)
      await tx.end('commits', identity, true)
      for (;;) {
        const settled = await probe.send(offsetFetch, 8, {
          groups: [{ groupId, topics: null }],
          requireStable: true,
        })
        if (settled.groups[0]!.topics[0]?.partitions[0]?.errorCode === 0) break
      }
      await offsets('committed', true)
      const second = await tx.init('again')
      await probe.ask('by version 5', txnOffsetCommit, 5, {
        ...{ ...whose, ...{ producerId: second.producerId, producerEpoch: second.producerEpoch } },
        topics: [
          {
            name,
            partitions: [{ partitionIndex: 0, committedOffset: 11, committedMetadata: null }],
          },
        ],
      })
      await tx.end('aborts', second, false, 5)
      for (;;) {
        const settled = await probe.send(offsetFetch, 8, {
          groups: [{ groupId, topics: null }],
          requireStable: true,
        })
        if (settled.groups[0]!.topics[0]?.partitions[0]?.errorCode === 0) break
      }
      await offsets('after the abort', true)
    }),
  },
]
