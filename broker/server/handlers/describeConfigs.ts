// Shows what is configured for topics and for this broker. Read-only: setting comes later.

import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import { type BrokerConfig, brokerOptions } from '../../configuration.ts'
import {
  ConfigSource,
  describeTopicConfigs,
  type TopicConfigEntry,
} from '../../controller/topicConfiguration.ts'
import { handler } from '../handler.ts'
import type { BrokerParts } from '../requestContext.ts'

const ResourceType = { topic: 2, broker: 4 } as const

/** Kafka's numbers for the types of values. */
const configTypes = { boolean: 1, string: 2, integer: 3, choice: 2 } as const

type Resource = RequestOf<typeof describeConfigs>['resources'][number]

export const describeConfigsHandler = handler(describeConfigs, (request, { broker }) => {
  const results = request.resources.map((resource) => {
    const { resourceType, resourceName, configurationKeys } = resource
    const { entries, errorCode, errorMessage } = find(resource, broker)
    const wanted = configurationKeys && new Set(configurationKeys)
    const configs = entries
      .filter(({ name }) => wanted === null || wanted.has(name))
      .map((entry) => describe(entry, resourceType, request))
    return { errorCode, errorMessage, resourceType, resourceName, configs }
  })
  return { throttleTimeMs: 0, results }
})

interface Found {
  readonly entries: readonly TopicConfigEntry[]
  readonly errorCode: number
  readonly errorMessage: string | null
}

function find({ resourceType, resourceName }: Resource, broker: BrokerParts): Found {
  if (resourceType === ResourceType.topic) {
    const topic = broker.controller.state.topic(resourceName)
    return topic
      ? found(describeTopicConfigs(topic.configs, broker.config))
      : missing(ErrorCode.unknownTopicOrPartition, `there is no topic ${resourceName}`)
  }
  if (resourceType !== ResourceType.broker) {
    return missing(
      ErrorCode.invalidRequest,
      `configs of resource type ${resourceType} are not kept`,
    )
  }
  // An empty name asks for what is the same on all brokers and can be changed: nothing, so far.
  if (resourceName === '') return found([])
  return resourceName === String(broker.nodeId)
    ? found(brokerEntries(broker.config))
    : missing(ErrorCode.invalidRequest, `this is broker ${broker.nodeId}, not ${resourceName}`)
}

function found(entries: readonly TopicConfigEntry[]): Found {
  return { entries, errorCode: ErrorCode.none, errorMessage: null }
}

function missing(errorCode: number, errorMessage: string): Found {
  return { entries: [], errorCode, errorMessage }
}

function brokerEntries(config: BrokerConfig): TopicConfigEntry[] {
  return Object.entries(brokerOptions).map(([name, option]) => {
    const value = config[name as keyof BrokerConfig]
    const isDefault = value === option.default
    return {
      name,
      value: String(value),
      source: isDefault ? ConfigSource.standard : ConfigSource.staticBroker,
      type: option.type,
      doc: option.doc,
    }
  })
}

function describe(
  { name, value, source, type, doc }: TopicConfigEntry,
  resourceType: number,
  request: RequestOf<typeof describeConfigs>,
) {
  return {
    name,
    value,
    readOnly: resourceType === ResourceType.broker,
    configSource: source,
    isSensitive: false,
    synonyms: request.includeSynonyms ? [{ name, value, source }] : [],
    configType: configTypes[type],
    documentation: request.includeDocumentation ? doc : null,
  }
}
