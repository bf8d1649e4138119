// APIs of Kafka that this broker does not serve: answered in their own responses, in every version,
// and never listed in ApiVersions.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { alterClientQuotas } from '../../../../protocol/kafka/apis/alterClientQuotas.ts'
import { alterUserScramCredentials } from '../../../../protocol/kafka/apis/alterUserScramCredentials.ts'
import { apiVersions } from '../../../../protocol/kafka/apis/apiVersions.ts'
import { updateFeatures } from '../../../../protocol/kafka/apis/updateFeatures.ts'
import { apiByKey, refusedApis } from '../../../../protocol/kafka/apis.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { encodeRequest } from '../../../../protocol/kafka/frame.ts'
import type { Api, RequestOf } from '../../../../protocol/kafka/schema/schema.ts'
import { MemoryBroker, type RawClient } from '../memoryBroker.ts'

const topicId = '00000000-0000-0000-0000-000000000007'
const state = { groupId: 'g', topics: [{ topicId, partitions: [{ partition: 3 }] }] }

/** Requests for the APIs that answer for each resource. */
const requests: Readonly<Record<string, object>> = {
  AlterReplicaLogDirs: { dirs: [{ path: '/other', topics: [{ name: 't', partitions: [3] }] }] },
  AlterClientQuotas: {
    entries: [
      {
        entity: [{ entityType: 'user', entityName: 'alice' }],
        ops: [{ key: 'producer_byte_rate', value: 1024, remove: false }],
      },
    ],
    validateOnly: false,
  },
  AlterUserScramCredentials: {
    deletions: [{ name: 'alice', mechanism: 1 }],
    upsertions: [
      {
        name: 'bob',
        mechanism: 1,
        iterations: 4096,
        salt: Buffer.from('salt'),
        saltedPassword: Buffer.from('password'),
      },
    ],
  },
  ShareGroupDescribe: { groupIds: ['g'], includeAuthorizedOperations: false },
  StreamsGroupDescribe: { groupIds: ['g'], includeAuthorizedOperations: false },
  InitializeShareGroupState: ofEach({ stateEpoch: 1, startOffset: 0 }),
  ReadShareGroupState: ofEach({ leaderEpoch: 1 }),
  WriteShareGroupState: ofEach({ stateEpoch: 1, leaderEpoch: 1, startOffset: 0, stateBatches: [] }),
  DeleteShareGroupState: state,
  ReadShareGroupStateSummary: ofEach({ leaderEpoch: 1 }),
  DescribeShareGroupOffsets: {
    groups: [{ groupId: 'g', topics: [{ topicName: 't', partitions: [3] }] }],
  },
}

function ofEach(fields: object) {
  const topics = state.topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({ ...partition, ...fields })),
  }))
  return { ...state, topics }
}

/** Every error code in an answer. */
function errorCodes(answer: unknown): number[] {
  if (typeof answer !== 'object' || answer === null) return []
  return Object.entries(answer).flatMap(([name, value]) =>
    name === 'errorCode' ? [value as number] : errorCodes(value),
  )
}

describe('an API that is known and not served', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
  })

  afterEach(() => broker.stop())

  const offered = async () => {
    const { apiKeys } = await client.send(apiVersions, 0, {})
    return new Set(apiKeys.map(({ apiKey }) => apiKey))
  }

  it('is answered with an error for each resource, in every version, on the same connection', async () => {
    const tokens = [38, 39, 40, 41]
    for (const { api } of refusedApis) {
      for (let version = api.minVersion; version <= api.maxVersion; version++) {
        const answer = client.expectAnswer(api, version)
        const header = { correlationId: 0, clientId: 'raw' }
        // Only the headers of the other APIs are known: the broker does not decode their bodies.
        const frame = Buffer.concat([
          ...encodeRequest(api, version, header, (requests[api.name] ?? {}) as RequestOf<Api>),
          Buffer.alloc(requests[api.name] ? 0 : 5, 1),
        ])
        frame.writeInt32BE(frame.length - 4)
        client.write(frame)
        const codes = errorCodes(await answer.catch((error: Error) => error))
        const expected = tokens.includes(api.key)
          ? ErrorCode.delegationTokenRequestNotAllowed
          : ErrorCode.unsupportedVersion
        const count = api === alterUserScramCredentials ? 2 : 1
        expect(codes, `${api.name} v${version}`).toEqual(new Array(count).fill(expected))
      }
    }
    expect(broker.logger.messages('warn')).toEqual([])
    expect(await broker.metrics.expose()).not.toContain('followed_total{')
  })

  it('is not listed: neither share groups nor streams groups nor APIs between controllers', async () => {
    const keys = await offered()
    expect(refusedApis.filter(({ api }) => keys.has(api.key)).map(({ api }) => api.name)).toEqual(
      [],
    )
    for (const key of [76, 77, 78, 79, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93]) {
      expect(keys.has(key), `API ${key}`).toBe(false)
      expect(apiByKey(key), `API ${key}`).toBeDefined()
    }
  })

  it('is refused unless it is served, for all APIs of Kafka 4.4 except four without any version', async () => {
    const keys = await offered()
    const refused = new Set(refusedApis.map(({ api }) => api.key))
    const all = Array.from({ length: 95 }, (_, key) => key)
    expect(all.filter((key) => !keys.has(key) && !refused.has(key))).toEqual([4, 5, 6, 7])
  })

  it('names the quota and the user that are not changed, with the reason', async () => {
    const request = requests.AlterClientQuotas as RequestOf<typeof alterClientQuotas>
    expect((await client.send(alterClientQuotas, 1, request)).entries).toEqual([
      {
        errorCode: ErrorCode.unsupportedVersion,
        errorMessage: 'quotas are not supported',
        entity: [{ entityType: 'user', entityName: 'alice' }],
      },
    ])
    const users = requests.AlterUserScramCredentials as RequestOf<typeof alterUserScramCredentials>
    const { results } = await client.send(alterUserScramCredentials, 0, users)
    expect(results.map(({ user }) => user)).toEqual(['alice', 'bob'])
    expect(results[0]!.errorMessage).toMatch(/need a listener that authenticates/)
  })
})

describe('UpdateFeatures', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
  })

  afterEach(() => broker.stop())

  const [upgrade, safe, unsafe] = [1, 2, 3]
  const update = (feature: string, maxVersionLevel: number, upgradeType = upgrade, version = 2) => {
    const ofVersion = version === 0 ? { allowDowngrade: upgradeType !== upgrade } : { upgradeType }
    const featureUpdates = [{ feature, maxVersionLevel, ...ofVersion }]
    return client.send(updateFeatures, version, { featureUpdates })
  }

  it('to the level in force succeeds, in every version', async () => {
    const done = { errorCode: 0, errorMessage: null }
    for (const version of [0, 1]) {
      expect(await update('transaction.version', 2, upgrade, version)).toMatchObject({
        ...done,
        results: [{ feature: 'transaction.version', ...done }],
      })
    }
    expect(await update('transaction.version', 2)).toMatchObject({ ...done, results: [] })
    expect(await update('kraft.version', 0, safe)).toMatchObject(done)
  })

  it.each([
    ['transaction.version', 3, upgrade, /supports levels 0 to 2/],
    ['transaction.version', 1, upgrade, /needs a safe or unsafe downgrade/],
    ['transaction.version', 1, safe, /fixed in this version/],
    ['group.version', 0, unsafe, /fixed in this version/],
    ['metadata.version', 28, upgrade, /supports levels 7 to 27/],
    ['metadata.version', 6, safe, /supports levels 7 to 27/],
    ['metadata.version', 26, safe, /fixed in this version/],
    ['kraft.version', 1, safe, /a downgrade cannot raise it/],
    ['kraft.version', 1, upgrade, /fixed in this version/],
    ['share.version', 1, upgrade, /does not know the feature/],
    ['no.such.feature', 0, safe, /does not know the feature/],
    ['transaction.version', -1, safe, /cannot be less than 0/],
    ['transaction.version', 2, 7, /unknown upgrade type 7/],
  ])('of %s to %i with type %i is refused', async (feature, level, type, message) => {
    expect(await update(feature, level, type)).toMatchObject({
      errorCode: ErrorCode.invalidUpdateVersion,
      errorMessage: expect.stringMatching(message),
    })
  })

  it('changes nothing when one of its updates is refused', async () => {
    const featureUpdates = [
      { feature: 'group.version', maxVersionLevel: 1 },
      { feature: 'share.version', maxVersionLevel: 1 },
    ]
    expect(await client.send(updateFeatures, 1, { featureUpdates })).toMatchObject({
      errorCode: ErrorCode.invalidUpdateVersion,
      results: [],
    })
  })

  it('treats allowDowngrade of version 0 as a safe downgrade', async () => {
    const { errorMessage } = await update('group.version', 0, upgrade, 0)
    expect(errorMessage).toMatch(/needs a safe or unsafe downgrade/)
    expect((await update('group.version', 0, safe, 0)).errorMessage).toMatch(/fixed/)
  })
})
