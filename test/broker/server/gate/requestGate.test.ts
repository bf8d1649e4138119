// The gate before the handlers: every served API declares the access that Kafka documents, a denied
// request reaches no handler, and every response with a field for it has the throttle time.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dispatch, servedApis } from '../../../../broker/server/dispatch/dispatch.ts'
import { RequestFigures } from '../../../../broker/server/figures/requestFigures.ts'
import { apiAccess } from '../../../../broker/server/gate/apiAccess.ts'
import {
  type AclOperation,
  type AclResourceType,
  type Authorizer,
  allowAll,
} from '../../../../broker/server/gate/authorizer.ts'
import { ConnectionAccess } from '../../../../broker/server/gate/connectionAccess.ts'
import { AccessDeniedError, RequestGate } from '../../../../broker/server/gate/requestGate.ts'
import { noThrottle, type Throttle } from '../../../../broker/server/gate/throttle.ts'
import type {
  BrokerParts,
  ConnectionContext,
} from '../../../../broker/server/request/requestContext.ts'
import { MemoryAllowance } from '../../../../protocol/bytes/memoryAllowance.ts'
import { ByteReader } from '../../../../protocol/bytes/reader.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { decodeResponse, encodeRequest } from '../../../../protocol/kafka/frame.ts'
import type { Api, Message } from '../../../../protocol/kafka/schema/schema.ts'
import { structArbitrary } from '../../../protocol/kafka/messageArbitrary.ts'
import { sampleRequests } from '../sampleRequests.ts'

/**
 * From Kafka's documentation ("Operations and resources on protocols"), corrected where the broker
 * of Kafka 4.1 differs. `~`: checked by the handler, for resources that the request does not name.
 * `a|b`: b on the cluster is sufficient.
 */
const documented: Readonly<Record<string, readonly string[]>> = {
  Produce: ['write transactionalId', 'write topic'],
  Fetch: ['clusterAction cluster', 'read topic'],
  ListOffsets: ['describe topic'],
  Metadata: ['describe topic', '~describe topic', '~create|create topic'],
  OffsetCommit: ['read group', 'read topic'],
  OffsetFetch: ['describe group', 'describe topic'],
  FindCoordinator: ['describe group', 'describe transactionalId'],
  JoinGroup: ['read group'],
  Heartbeat: ['read group'],
  LeaveGroup: ['read group'],
  SyncGroup: ['read group'],
  DescribeGroups: ['describe group'],
  ListGroups: ['~describe|describe group'],
  SaslHandshake: [],
  ApiVersions: [],
  CreateTopics: ['create|create topic', '~describeConfigs topic'],
  DeleteTopics: ['delete topic'],
  DeleteRecords: ['delete topic'],
  InitProducerId: ['write transactionalId', 'idempotentWrite cluster'],
  OffsetForLeaderEpoch: ['describe|clusterAction topic'],
  AddPartitionsToTxn: ['clusterAction cluster', 'write transactionalId', 'write topic'],
  AddOffsetsToTxn: ['write transactionalId', 'read group'],
  EndTxn: ['write transactionalId'],
  WriteTxnMarkers: ['clusterAction|alter cluster'],
  TxnOffsetCommit: ['write transactionalId', 'read group', 'read topic'],
  DescribeAcls: ['describe cluster'],
  CreateAcls: ['alter cluster'],
  DeleteAcls: ['alter cluster'],
  DescribeConfigs: ['describeConfigs cluster', 'describeConfigs topic', 'describeConfigs group'],
  AlterConfigs: ['alterConfigs cluster', 'alterConfigs topic', 'alterConfigs group'],
  DescribeLogDirs: ['describe cluster'],
  SaslAuthenticate: [],
  CreatePartitions: ['alter topic'],
  DeleteGroups: ['delete group'],
  ElectLeaders: ['alter cluster'],
  IncrementalAlterConfigs: ['alterConfigs cluster', 'alterConfigs topic', 'alterConfigs group'],
  AlterPartitionReassignments: ['alter cluster'],
  ListPartitionReassignments: ['describe cluster'],
  OffsetDelete: ['delete group', 'read topic'],
  DescribeClientQuotas: ['describeConfigs cluster'],
  DescribeUserScramCredentials: ['describe cluster'],
  UpdateFeatures: ['alter cluster'],
  DescribeCluster: ['~describe cluster'],
  DescribeProducers: ['read topic'],
  DescribeTransactions: ['describe transactionalId'],
  ListTransactions: ['~describe transactionalId'],
  ConsumerGroupHeartbeat: ['read group', 'describe topic'],
  ConsumerGroupDescribe: ['describe group'],
  ListConfigResources: ['describeConfigs cluster'],
  DescribeTopicPartitions: ['describe topic', '~describe topic'],
}

/** APIs whose sample requests name no resource. */
const openToAll = [
  'ApiVersions',
  'DescribeCluster',
  'ListGroups',
  'ListTransactions',
  'SaslAuthenticate',
  'SaslHandshake',
]

/** Requests of new versions name topics by id. */
const topics = { topicById: () => ({ name: 't' }) }

const denyAll: Authorizer = { allowsAll: false, authorize: () => false }

interface GateOptions {
  readonly authorizer?: Authorizer
  readonly throttle?: Throttle
  /** Called instead of the handler of each API. */
  readonly handle: (api: Api) => unknown
}

/** A connection to a broker that consists of the gate and the request figures. */
function connectionTo({ authorizer = allowAll, throttle = noThrottle, handle }: GateOptions) {
  const gate = new RequestGate({ authorizer, throttle, topics })
  const broker: Partial<BrokerParts> = {
    gate,
    requestFigures: new RequestFigures(),
    testHooks: { opened() {}, handle },
  }
  const access = new ConnectionAccess(authorizer, '/client')
  return { broker, access } as unknown as ConnectionContext
}

function send(api: Api, version: number, body: object, connection: ConnectionContext) {
  const header = { correlationId: 7, clientId: 'c' }
  const frame = Buffer.concat(encodeRequest(api, version, header, body)).subarray(4)
  const record = { figures: undefined, arrivedMs: 0, startedMs: 0, waitedMs: 0 }
  return dispatch(frame, new MemoryAllowance(2 ** 20), connection, record)
}

function sampleOf(api: Api): object {
  return sampleRequests[api.name]!(api.maxVersion)
}

function responseOf(api: Api, version: number): object {
  const { fields } = api.response as Message<never>
  return fc.sample(structArbitrary(fields, version, 'omitted'), { numRuns: 1, seed: 1 })[0]!
}

function hasThrottleTime({ response }: Api): boolean {
  return 'throttleTimeMs' in (response as Message<never>).fields
}

describe('the access that APIs need', () => {
  it('is declared once for every served API', () => {
    const declared = apiAccess.map(({ api }) => api.name)
    expect(declared.toSorted()).toEqual(servedApis.map(({ name }) => name).toSorted())
  })

  it('is the access that Kafka documents', () => {
    const shown = apiAccess.map(({ api, requirements }) => [
      api.name,
      requirements.map(({ operation, resourceType, names, orOnCluster }) => {
        const or = orOnCluster === undefined ? '' : `|${orOnCluster}`
        return `${names === undefined ? '~' : ''}${operation}${or} ${resourceType}`
      }),
    ])
    expect(Object.fromEntries(shown)).toEqual(documented)
  })

  it('names the resources of a request', () => {
    const asked: string[] = []
    const authorizer: Authorizer = {
      allowsAll: false,
      authorize(requester, operation: AclOperation, type: AclResourceType, name) {
        asked.push(
          `${requester.principal.name}${requester.clientHost} ${operation} ${type} ${name}`,
        )
        return true
      },
    }
    const handle = (api: Api) => responseOf(api, 12)
    const connection = connectionTo({ authorizer, handle })
    send(metadata, 12, { topics: [{ name: 'a' }, { name: 'b' }] }, connection)
    expect(asked).toEqual([
      'ANONYMOUS/client describe topic a',
      'ANONYMOUS/client describe topic b',
    ])
  })
})

describe('a denied request', () => {
  it('reaches no handler', () => {
    const reached: string[] = []
    const handle = ({ name }: Api) => {
      reached.push(name)
      throw new Error('handled')
    }
    const connection = connectionTo({ authorizer: denyAll, handle })
    for (const api of servedApis) {
      const error = openToAll.includes(api.name) ? /^handled$/ : AccessDeniedError
      expect(() => send(api, api.maxVersion, sampleOf(api), connection), api.name).toThrow(error)
    }
    expect(reached.toSorted()).toEqual(openToAll)
  })

  it('names the operation and the resource', () => {
    const connection = connectionTo({ authorizer: denyAll, handle: () => ({}) })
    const request = () => send(metadata, 12, { topics: [{ name: 'a' }] }, connection)
    expect(request).toThrow('Metadata: User:ANONYMOUS is not authorized for describe on topic a')
  })

  it('is admitted with a sufficient operation on the cluster', () => {
    const authorizer: Authorizer = {
      allowsAll: false,
      authorize: (_, operation, type) => operation === 'create' && type === 'cluster',
    }
    const connection = connectionTo({ authorizer, handle: () => ({ topics: [] }) })
    const createTopics = servedApis.find(({ name }) => name === 'CreateTopics')!
    expect(() => send(createTopics, 7, sampleOf(createTopics), connection)).not.toThrow()
  })
})

describe('the throttle', () => {
  it('is written into every response with a field for it', () => {
    const throttle: Throttle = { throttleTimeMs: () => 250 }
    for (const api of servedApis) {
      const version = api.maxVersion
      const handle = () => ({ ...responseOf(api, version), throttleTimeMs: 0 })
      const answer = send(api, version, sampleOf(api), connectionTo({ throttle, handle }))
      const frame = Buffer.concat(answer as Uint8Array[]).subarray(4)
      const { body } = decodeResponse(api, version, new ByteReader(frame))
      const { throttleTimeMs } = body as { throttleTimeMs?: number }
      expect(throttleTimeMs, api.name).toBe(hasThrottleTime(api) ? 250 : undefined)
    }
  })

  it('does not change the response object of the handler', () => {
    const response = Object.freeze({ topics: [] })
    const throttle: Throttle = { throttleTimeMs: () => 250 }
    const gate = new RequestGate({ authorizer: allowAll, throttle, topics })
    const access = new ConnectionAccess(allowAll, '/client')
    expect(gate.throttled(metadata, response, access, 'c')).toEqual({
      topics: [],
      throttleTimeMs: 250,
    })
    const unthrottled = new RequestGate({ authorizer: allowAll, throttle: noThrottle, topics })
    expect(unthrottled.throttled(metadata, response, access, 'c')).toBe(response)
  })
})

describe('authorized operations', () => {
  it('are all that a type of resource supports when everything is allowed', () => {
    const access = new ConnectionAccess(allowAll, '/client')
    expect(access.clusterOperations).toBe(0b1111110100000)
    expect(access.authorizedOperations('topic', 't')).toBe(0b0110111111000)
    expect(access.authorizedOperations('group', 'g')).toBe(0b0110101001000)
  })

  it('are those that the authorizer allows', () => {
    const authorizer: Authorizer = {
      allowsAll: false,
      authorize: (_, operation, __, name) => operation === 'read' && name === 'mine',
    }
    const access = new ConnectionAccess(authorizer, '/client')
    expect(access.authorizedOperations('topic', 'mine')).toBe(1 << 3)
    expect(access.authorizedOperations('topic', 'other')).toBe(0)
  })
})
