// Reads and changes the configuration of topics, brokers and groups. Only a broker itself knows its
// own configuration; any broker answers the rest.

import { describeConfigs as describeConfigsApi } from '../../kafka/apis/describeConfigs.ts'
import { incrementalAlterConfigs } from '../../kafka/apis/incrementalAlterConfigs.ts'
import { ErrorCode } from '../../kafka/errors.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import type {
  ConfigChange,
  ConfigDescription,
  ConfigEntry,
  ConfigResource,
  ConfigSource,
  Outcome,
} from '../adminApi.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import type { AdminRequests, Routing } from './adminRequests.ts'

/** The changes of one resource. */
export interface ConfigAlteration {
  readonly resource: ConfigResource
  readonly changes: readonly ConfigChange[]
}

/** The result of the changes of one resource. */
export interface ConfigOutcome extends Outcome {
  readonly resource: ConfigResource
}

const resourceTypes = { topic: 2, broker: 4, 'broker-logger': 8, group: 32 } as const
const operations = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** Sources by Kafka's numbers. */
const sources = [
  'UNKNOWN',
  'DYNAMIC_TOPIC_CONFIG',
  'DYNAMIC_BROKER_CONFIG',
  'DYNAMIC_DEFAULT_BROKER_CONFIG',
  'STATIC_BROKER_CONFIG',
  'DEFAULT_CONFIG',
  'DYNAMIC_BROKER_LOGGER_CONFIG',
  'DYNAMIC_CLIENT_METRICS_CONFIG',
  'DYNAMIC_GROUP_CONFIG',
]

/** Entries of one topic with synonyms take several kilobytes, and brokers bound their responses. */
const resourcesPerRequest = 100

const unanswered: Outcome = {
  errorCode: ErrorCode.unknownServerError,
  errorMessage: 'the broker did not answer for this resource',
}

/** `documentation` makes responses several times larger. */
export async function describeConfigs(
  requests: AdminRequests,
  resources: readonly ConfigResource[],
  { documentation = false } = {},
): Promise<ConfigDescription[]> {
  const ask = async (connection: KafkaConnection, asked: readonly OfResource[]) => {
    const { results } = await connection.send(describeConfigsApi, {
      resources: asked.map(({ resource }) => ({ ...wireName(resource), configurationKeys: null })),
      includeSynonyms: true,
      includeDocumentation: documentation,
    })
    const found = new Map(results.map((result) => [wireKey(result), result]))
    return asked.map(({ resource }): ConfigDescription => {
      const result = found.get(wireKey(wireName(resource)))
      if (result === undefined) return { resource, entries: [], ...unanswered }
      const { errorCode, errorMessage } = result
      return { resource, entries: result.configs.map(entryOf), errorCode, errorMessage }
    })
  }
  const failed = ({ resource }: OfResource, outcome: Outcome) => {
    return { resource, entries: [], ...outcome }
  }
  const items = resources.map((resource) => ({ resource }))
  return await requests.ofEach(items, toTheirBrokers(requests.cluster, ask, failed))
}

export async function alterConfigs(
  requests: AdminRequests,
  alterations: readonly ConfigAlteration[],
  { validateOnly = false } = {},
): Promise<ConfigOutcome[]> {
  const ask = async (connection: KafkaConnection, asked: readonly ConfigAlteration[]) => {
    const resources = asked.map(alterationEntry)
    const { responses } = await connection.send(incrementalAlterConfigs, {
      resources,
      validateOnly,
    })
    const found = new Map(responses.map((result) => [wireKey(result), result]))
    return asked.map(({ resource }): ConfigOutcome => {
      const { errorCode, errorMessage } = found.get(wireKey(wireName(resource))) ?? unanswered
      return { resource, errorCode, errorMessage }
    })
  }
  const failed = ({ resource }: ConfigAlteration, outcome: Outcome) => ({ resource, ...outcome })
  return await requests.ofEach(alterations, toTheirBrokers(requests.cluster, ask, failed))
}

interface OfResource {
  readonly resource: ConfigResource
}

function toTheirBrokers<Item extends OfResource, Answer extends Outcome>(
  cluster: Cluster,
  ask: Routing<Item, Answer>['ask'],
  failed: Routing<Item, Answer>['failed'],
): Routing<Item, Answer> {
  return {
    async route({ resource }) {
      const nodeId = ownerOf(resource)
      return nodeId === undefined ? await cluster.any() : await cluster.broker(nodeId)
    },
    ask,
    failed,
    mayPass: (errorCode) => errorCode === ErrorCode.notController,
    routeMayPass: () => false,
    forget: () => {},
    itemsPerRequest: resourcesPerRequest,
  }
}

/** The only broker that can answer for this resource; undefined if any broker can. */
function ownerOf({ type, name }: ConfigResource): number | undefined {
  if (type !== 'broker' && type !== 'broker-logger') return undefined
  return /^\d{1,9}$/.test(name) ? Number(name) : undefined
}

function alterationEntry({ resource, changes }: ConfigAlteration) {
  const configs = changes.map(({ name, operation, value = null }) => {
    return { name, configOperation: operations[operation], value }
  })
  return { ...wireName(resource), configs }
}

interface WireName {
  readonly resourceType: number
  readonly resourceName: string
}

function wireName({ type, name }: ConfigResource): WireName {
  return { resourceType: resourceTypes[type], resourceName: name }
}

function wireKey({ resourceType, resourceName }: WireName): string {
  return `${resourceType} ${resourceName}`
}

type WireEntry = ResponseOf<typeof describeConfigsApi>['results'][number]['configs'][number]

function entryOf(entry: WireEntry): ConfigEntry {
  const { name, value, configSource, readOnly, isSensitive, synonyms, documentation } = entry
  return {
    name,
    value,
    source: sourceName(configSource),
    isReadOnly: readOnly,
    isSensitive,
    synonyms: synonyms.map((synonym) => ({
      name: synonym.name,
      value: synonym.value,
      source: sourceName(synonym.source),
    })),
    documentation,
  }
}

function sourceName(source: number): ConfigSource {
  return sources[source] ?? sources[0]!
}
