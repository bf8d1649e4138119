// DescribeConfigs: describes the configs of topics, of this broker, of its loggers and of groups,
// with the source of each value.

import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import {
  type BrokerOptionName,
  brokerOptionNames,
  brokerOptions,
} from '../../configuration/brokerOptions.ts'
import type { ConfigType } from '../../configuration/configOption.ts'
import {
  ConfigSource,
  type DynamicConfiguration,
  dynamicOptionNames,
} from '../../configuration/configuration.ts'
import { describeGroupConfigs } from '../../configuration/groupSettings.ts'
import { weakerOptions } from '../../configuration/topicOptions.ts'
import { type ConfigEntry, describeTopicConfigs } from '../../configuration/topicSettings.ts'
import { configsOf, findResource, ResourceType } from '../../controller/configRequests.ts'
import type { ConfigResource, MetadataView } from '../../controller/metadata/metadataView.ts'
import { loggerLevels, loggerProblem } from '../configs/loggerConfigs.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

/** Kafka's ConfigType codes. */
const configTypes: Readonly<Record<ConfigType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
}

/** Approximate memory of one config, as an object and in the answer, in bytes. */
const configBytes = 160
const synonymBytes = 64

type DescribeRequest = RequestOf<typeof describeConfigs>
type Resource = DescribeRequest['resources'][number]

export const describeConfigsHandler = handler(describeConfigs, (request, context) => {
  const allowance = context.answerMemory.allowance()
  const results = request.resources.map((resource) => {
    const result = describeResource(resource, request, context.broker)
    allowance.take(costOf(result.configs), 'the response to DescribeConfigs')
    return result
  })
  return { results }
})

function describeResource(resource: Resource, request: DescribeRequest, broker: BrokerParts) {
  const { resourceType, resourceName, configurationKeys } = resource
  const { controller, configuration, nodeId } = broker
  if (resourceType === ResourceType.brokerLogger) return describeLoggers(resource, request, broker)
  const found = findResource(controller.state, { resourceType, resourceName }, nodeId)
  if ('errorCode' in found) {
    const { errorCode, message: errorMessage } = found
    return { errorCode, errorMessage, resourceType, resourceName, configs: [] }
  }
  const wanted = configurationKeys && new Set(configurationKeys)
  const configs = entriesOf(found, controller.state, configuration)
    .filter(({ name }) => wanted === null || wanted.has(name))
    .map((entry) => shown(entry, request))
  return { errorCode: ErrorCode.none, errorMessage: null, resourceType, resourceName, configs }
}

function describeLoggers(
  { resourceType, resourceName, configurationKeys }: Resource,
  request: DescribeRequest,
  broker: BrokerParts,
) {
  const problem = loggerProblem(resourceName, broker)
  if (problem !== undefined) {
    const refusal = { errorCode: ErrorCode.invalidRequest, errorMessage: problem }
    return { ...refusal, resourceType, resourceName, configs: [] }
  }
  const configs = loggerLevels(broker)
    .filter(({ name }) => configurationKeys === null || configurationKeys.includes(name))
    .map((level) => {
      const [source, type] = [ConfigSource.dynamicBrokerLogger, 'string' as const]
      const doc = 'Lowest level of the lines that the broker logs.'
      return shown({ ...level, source, type, doc, isReadOnly: false, synonyms: [] }, request)
    })
  return { errorCode: ErrorCode.none, errorMessage: null, resourceType, resourceName, configs }
}

function costOf(configs: readonly ReturnType<typeof shown>[]): number {
  let bytes = 0
  for (const { synonyms, documentation } of configs) {
    bytes += configBytes + synonyms.length * synonymBytes + (documentation?.length ?? 0)
  }
  return bytes
}

function entriesOf(
  resource: ConfigResource,
  state: MetadataView,
  configuration: DynamicConfiguration,
): ConfigEntry[] {
  const configs = configsOf(state, resource)
  if (resource.type === 'topic') return describeTopicConfigs(configs, configuration)
  if (resource.type === 'group') return describeGroupConfigs(configs, configuration)
  if (resource.name !== '') {
    return brokerOptionNames.map((name) => brokerEntry(name, configuration))
  }
  return dynamicOptionNames
    .filter((name) => name in configs)
    .map((name) => {
      const source = ConfigSource.dynamicDefaultBroker
      const value = configs[name]!
      return {
        ...brokerEntry(name, configuration),
        value,
        source,
        synonyms: [{ name, value, source }],
      }
    })
}

function brokerEntry(name: BrokerOptionName, configuration: DynamicConfiguration): ConfigEntry {
  const { type, doc, updateMode } = brokerOptions[name]
  const synonyms = configuration.synonymsOf(name, weakerOptions(name))
  return {
    name,
    value: configuration.text(name),
    source: synonyms[0]?.source ?? ConfigSource.standard,
    type,
    doc,
    isReadOnly: updateMode === 'read-only',
    synonyms,
  }
}

function shown(entry: ConfigEntry, request: DescribeRequest) {
  return {
    name: entry.name,
    value: entry.value,
    readOnly: entry.isReadOnly,
    configSource: entry.source,
    isSensitive: false,
    synonyms: request.includeSynonyms ? entry.synonyms : [],
    configType: configTypes[entry.type],
    documentation: request.includeDocumentation ? entry.doc : null,
  }
}
