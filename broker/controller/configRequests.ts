// Decides on a client's request to change the configs of a resource. Returns a command for the
// metadata log, with the complete new set of configs, or an error code with a message for the
// client. Pure functions of the metadata state and the request.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { type BrokerConfig, brokerOptions, isOptionName } from '../configuration/brokerOptions.ts'
import { type ConfigOption, listElements } from '../configuration/configOption.ts'
import type { ConfigTexts, DynamicConfiguration } from '../configuration/configuration.ts'
import { groupConfigsProblem } from '../configuration/groupSettings.ts'
import { isTopicConfigName, topicOptions } from '../configuration/topicOptions.ts'
import { topicConfigsProblem } from '../configuration/topicSettings.ts'
import { unusedReason } from '../configuration/unusedOptions.ts'
import type { CommandOf } from './metadata/metadataCommand.ts'
import type { ConfigResource, MetadataView } from './metadata/metadataView.ts'
import { topicNameProblem } from './topics/topicName.ts'
import { type Decision, type Refusal, refuse } from './topics/topicRequests.ts'

/** Kafka's ConfigResource.Type. */
export const ResourceType = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const
/** Kafka's AlterConfigOp.OpType. */
export const ConfigOperation = { set: 0, delete: 1, append: 2, subtract: 3 } as const

export interface ConfigChange {
  readonly name: string
  readonly operation: number
  readonly value: string | null
}

export interface ConfigRequest {
  readonly resourceType: number
  readonly resourceName: string
  readonly changes: readonly ConfigChange[]
  /** Whether configs that are not named are reset to their defaults. */
  readonly replacesAll: boolean
}

export function decideAlterConfigs(
  state: MetadataView,
  request: ConfigRequest,
  configuration: DynamicConfiguration,
): Decision<CommandOf<'setConfigs'>> {
  const resource = findResource(state, request, configuration.nodeId)
  if ('errorCode' in resource) return resource
  const refusal = refuseShape(request.changes) ?? refuseFixed(resource, request.changes)
  if (refusal) return refusal
  const before = request.replacesAll ? {} : configsOf(state, resource)
  const configs = applyChanges(resource, before, request.changes)
  if (isRefusal(configs)) return configs
  const problem = configsProblem(resource, configs, configuration.current)
  if (problem) return refuse(problemCode(resource), problem)
  return { command: { type: 'setConfigs', resource, configs } }
}

/** The resource as the metadata state identifies it, or why it has no configs. */
export function findResource(
  state: MetadataView,
  { resourceType, resourceName }: Pick<ConfigRequest, 'resourceType' | 'resourceName'>,
  nodeId: number,
): ConfigResource | Refusal {
  switch (resourceType) {
    case ResourceType.topic:
      return findTopic(state, resourceName)
    case ResourceType.broker:
      return findBroker(resourceName, nodeId)
    case ResourceType.group:
      if (resourceName !== '') return { type: 'group', name: resourceName }
      return refuse(ErrorCode.invalidRequest, 'groups have no default configs: name a group')
    case ResourceType.brokerLogger:
      return refuse(
        ErrorCode.invalidRequest,
        'the levels of broker loggers cannot be changed by requests',
      )
    case ResourceType.clientMetrics:
      return refuse(ErrorCode.invalidRequest, 'client metrics are not supported')
    default:
      return refuse(ErrorCode.invalidRequest, `resource type ${resourceType} has no configs`)
  }
}

/** The configs set for the resource itself. */
export function configsOf(state: MetadataView, { type, name }: ConfigResource): ConfigTexts {
  if (type === 'topic') return state.topicById(name)!.configs
  return type === 'broker' ? state.brokerConfigs(name) : state.groupConfigs(name)
}

function findTopic(state: MetadataView, name: string): ConfigResource | Refusal {
  const problem = topicNameProblem(name)
  if (problem) return refuse(ErrorCode.invalidTopicException, problem)
  const topic = state.topic(name)
  if (topic) return { type: 'topic', name: topic.id }
  return refuse(ErrorCode.unknownTopicOrPartition, `topic ${name} does not exist`)
}

function findBroker(name: string, nodeId: number): ConfigResource | Refusal {
  if (name === '' || name === String(nodeId)) return { type: 'broker', name }
  const problem = /^\d+$/.test(name)
    ? `this is broker ${nodeId}, not ${name}`
    : `"${name}" is not the id of a broker`
  return refuse(ErrorCode.invalidRequest, problem)
}

/** Refuses changes that are malformed for every resource. */
function refuseShape(changes: readonly ConfigChange[]): Refusal | undefined {
  const names = new Set<string>()
  for (const { name, operation, value } of changes) {
    if (names.has(name))
      return refuse(ErrorCode.invalidRequest, `${name} is changed twice in one request`)
    names.add(name)
    if (operation < ConfigOperation.set || operation > ConfigOperation.subtract) {
      return refuse(ErrorCode.invalidRequest, `${name}: unknown operation ${operation}`)
    }
    if (value === null && operation !== ConfigOperation.delete) {
      return refuse(ErrorCode.invalidRequest, `${name} has no value`)
    }
  }
  return undefined
}

function refuseFixed(
  { type }: ConfigResource,
  changes: readonly ConfigChange[],
): Refusal | undefined {
  if (type !== 'broker') return undefined
  for (const { name, operation } of changes) {
    if (operation === ConfigOperation.delete) continue
    if (!isOptionName(name)) {
      const reason = unusedReason(name)
      const problem = reason
        ? `${name} has no effect in Millrace: ${reason}`
        : 'unknown broker config name'
      return refuse(ErrorCode.invalidConfig, reason ? problem : `${problem}: ${name}`)
    }
    if (brokerOptions[name].updateMode === 'read-only') {
      return refuse(ErrorCode.invalidRequest, `${name} cannot be changed while the broker runs`)
    }
  }
  return undefined
}

function applyChanges(
  resource: ConfigResource,
  before: ConfigTexts,
  changes: readonly ConfigChange[],
): ConfigTexts | Refusal {
  const after = new Map(Object.entries(before))
  for (const { name, operation, value } of changes) {
    if (operation === ConfigOperation.delete) after.delete(name)
    else if (operation === ConfigOperation.set) after.set(name, value!)
    else {
      const option = listOption(resource, name)
      if (!option) {
        const verb = operation === ConfigOperation.append ? 'append to' : 'subtract from'
        return refuse(ErrorCode.invalidConfig, `cannot ${verb} ${name}: it is not a list`)
      }
      const elements = listElements(after.get(name) ?? option.default)
      const given = listElements(value!)
      const others = elements.filter((element) => !given.includes(element))
      const joined =
        operation === ConfigOperation.subtract ? others : [...new Set([...elements, ...given])]
      after.set(name, joined.join(','))
    }
  }
  return Object.fromEntries(after)
}

/** The reasons why Kafka configs have no effect in Millrace, by name. */
export function reasonsWithoutEffect(
  type: ConfigResource['type'],
  configs: ConfigTexts,
): Record<string, string> {
  const reasons: Record<string, string> = {}
  for (const [name, text] of Object.entries(configs)) {
    const option = optionOf(type, name)
    if (option?.noEffect === undefined || option.parse(text) === option.default) continue
    reasons[name] = option.noEffect
  }
  return reasons
}

function optionOf(type: ConfigResource['type'], name: string): ConfigOption<unknown> | undefined {
  if (type === 'topic' && isTopicConfigName(name)) return topicOptions[name].option
  return type === 'broker' && isOptionName(name) ? brokerOptions[name] : undefined
}

function listOption({ type }: ConfigResource, name: string): { default: string } | undefined {
  const option = optionOf(type, name)
  return option?.type === 'list' ? { default: String(option.default) } : undefined
}

function configsProblem(
  { type }: ConfigResource,
  configs: ConfigTexts,
  broker: BrokerConfig,
): string | undefined {
  if (type === 'topic') return topicConfigsProblem(configs, broker)
  if (type === 'group') return groupConfigsProblem(configs, broker)
  return brokerConfigsProblem(configs)
}

function brokerConfigsProblem(configs: ConfigTexts): string | undefined {
  for (const [name, text] of Object.entries(configs)) {
    const option = isOptionName(name) ? brokerOptions[name] : undefined
    if (option && option.parse(text) === undefined) {
      return `${name} is "${text}", but must be ${option.bounds}`
    }
  }
  return undefined
}

/** As in Kafka, an invalid value of a broker config has an error code of its own. */
function problemCode({ type }: ConfigResource): number {
  return type === 'broker' ? ErrorCode.invalidRequest : ErrorCode.invalidConfig
}

function isRefusal(outcome: ConfigTexts | Refusal): outcome is Refusal {
  return typeof outcome.errorCode === 'number'
}
