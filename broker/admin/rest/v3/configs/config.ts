// A configuration entry as a resource: of a topic, of a broker, or of all brokers of the cluster.

import { Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import type {
  ConfigDescription,
  ConfigEntry,
  ConfigResource,
} from '../../../../../protocol/client/adminApi.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { kafkaFailure } from '../../failures.ts'
import { pageQuery } from '../../paging.ts'
import { RestError } from '../../restError.ts'
import { type Links, shortened } from '../links.ts'
import { nullable, type ResourceOf, resourceSchema } from '../resource.ts'

const sources = [
  'DYNAMIC_TOPIC_CONFIG',
  'DYNAMIC_BROKER_LOGGER_CONFIG',
  'DYNAMIC_BROKER_CONFIG',
  'DYNAMIC_DEFAULT_BROKER_CONFIG',
  'STATIC_BROKER_CONFIG',
  'DEFAULT_CONFIG',
  'UNKNOWN',
]
const source = Type.Enum(sources, { description: 'Source of the value.' })
const value = nullable(Type.String(), {
  description: 'Null for a secret, which is never shown, and for an entry without a value.',
})

const configFields = {
  name: Type.String(),
  value,
  is_default: Type.Boolean(),
  is_read_only: Type.Boolean(),
  is_sensitive: Type.Boolean(),
  source,
  synonyms: Type.Array(Type.Object({ name: Type.String(), value, source }), {
    description:
      'Keys that the value may come from, in order of precedence; the first one set wins.',
  }),
}

export const topicConfigSchema = resourceSchema('KafkaTopicConfig', {
  ...configFields,
  topic_name: Type.String(),
})
export const brokerConfigSchema = resourceSchema('KafkaBrokerConfig', {
  ...configFields,
  broker_id: Type.Integer(),
})
export const clusterConfigSchema = resourceSchema('KafkaClusterConfig', {
  ...configFields,
  config_type: Type.Literal('BROKER'),
})

export function topicConfigResource(
  links: Links,
  topic: string,
  entry: ConfigEntry,
): ResourceOf<typeof topicConfigSchema> {
  const fields = fieldsOf(links, ['topics', topic, 'configs'], entry)
  return { kind: 'KafkaTopicConfig', ...fields, topic_name: topic }
}

export function brokerConfigResource(
  links: Links,
  broker: number,
  entry: ConfigEntry,
): ResourceOf<typeof brokerConfigSchema> {
  const fields = fieldsOf(links, ['brokers', broker, 'configs'], entry)
  return { kind: 'KafkaBrokerConfig', ...fields, broker_id: broker }
}

export function clusterConfigResource(
  links: Links,
  entry: ConfigEntry,
): ResourceOf<typeof clusterConfigSchema> {
  const fields = fieldsOf(links, ['broker-configs'], entry)
  return { kind: 'KafkaClusterConfig', ...fields, config_type: 'BROKER' }
}

/**
 * Query of a list whose pages hold `most` brokers or topics, each with all of its configurations.
 */
export function ownersQuery(owners: 'brokers' | 'topics', most: number) {
  const description = `Maximum number of ${owners} in a page, each with all of its configurations.`
  const size = Type.Integer({ minimum: 1, maximum: most, default: most, description })
  return Type.Object({ ...pageQuery, page_size: Type.Optional(size) })
}

/** The resource of the dynamic configuration of all brokers. */
export const allBrokers: ConfigResource = { type: 'broker', name: '' }

export async function configsOf(admin: Admin, resource: ConfigResource): Promise<ConfigEntry[]> {
  const [description] = await admin.describeConfigs([resource])
  return entriesOf(description!)
}

export function entriesOf(description: ConfigDescription): ConfigEntry[] {
  const { resource, entries, errorCode, errorMessage } = description
  if (errorCode === ErrorCode.none) return [...entries]
  throw kafkaFailure(errorCode, errorMessage ?? resource.name)
}

/** Fails with 404 if the resource has no such entry. */
export async function configOf(
  admin: Admin,
  resource: ConfigResource,
  name: string,
): Promise<ConfigEntry> {
  const entry = (await configsOf(admin, resource)).find((each) => each.name === name)
  if (entry !== undefined) return entry
  throw unknownConfig(resource, name)
}

export function unknownConfig({ type, name: owner }: ConfigResource, name: string): RestError {
  const of = owner === '' ? 'the cluster' : `${type} ${owner}`
  return new RestError(
    404,
    'UNKNOWN_CONFIG',
    `${of} has no configuration ${shortened(name)}`,
    'check the name: the list of configurations contains all of them',
  )
}

function fieldsOf(links: Links, path: readonly (string | number)[], entry: ConfigEntry) {
  const { name, value, source, isReadOnly, isSensitive, synonyms } = entry
  return {
    metadata: links.metadata(...path, name),
    cluster_id: links.clusterId,
    name,
    value,
    is_default: source === 'DEFAULT_CONFIG',
    is_read_only: isReadOnly,
    is_sensitive: isSensitive,
    source: known(source),
    synonyms: synonyms.map((each) => ({ ...each, source: known(each.source) })),
  }
}

function known(source: string): string {
  return sources.includes(source) ? source : 'UNKNOWN'
}
