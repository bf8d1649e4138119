// Creates and deletes topics, changes their settings, deletes records: what was acknowledged has to
// hold. An answer that was lost leaves both possible, until it is asked again.

import { Admin } from '../../../../../protocol/client/admin.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { Client } from './client.ts'

interface KnownTopics {
  next: number
  /** Acknowledged, and not asked to be deleted since. */
  readonly existing: Set<string>
  /** Acknowledged as deleted: never created again under the same name. */
  readonly deleted: Set<string>
  /** Topics whose deletion was asked for without an answer yet. */
  readonly leaving: Set<string>
}

const mostTopics = 3

export async function administrator(client: Client): Promise<void> {
  const { random } = client
  const topics = client.memory<KnownTopics>(() => ({
    next: 0,
    existing: new Set(),
    deleted: new Set(),
    leaving: new Set(),
  }))
  const admin = new Admin(client.cluster, Number.POSITIVE_INFINITY)
  const prefix = `made by ${client.process.shortName} `.replaceAll(' ', '-')
  while (!client.isOver) {
    const [oldest] = topics.existing
    if (topics.existing.size < mostTopics) await create(client, admin, topics, prefix)
    else if (oldest !== undefined && random.below(2) === 0)
      await remove(client, admin, topics, oldest)
    else if (oldest !== undefined) await change(client, admin, oldest)
    if (random.below(3) === 0) await check(client, admin, topics, prefix)
    await client.think()
  }
  for (const name of topics.leaving) await remove(client, admin, topics, name)
  await check(client, admin, topics, prefix)
}

async function create(
  client: Client,
  admin: Admin,
  topics: KnownTopics,
  prefix: string,
): Promise<void> {
  const name = `${prefix}${topics.next++}`
  const partitions = 1 + client.random.below(2)
  await client.patiently(() =>
    admin.createTopics([{ name, partitions }]).catch(unless(ErrorCode.topicAlreadyExists)),
  )
  topics.existing.add(name)
  client.shared.reached('a topic was created')
}

async function remove(
  client: Client,
  admin: Admin,
  topics: KnownTopics,
  name: string,
): Promise<void> {
  topics.existing.delete(name)
  topics.leaving.add(name)
  await client.patiently(() =>
    admin.deleteTopics([name]).catch(unless(ErrorCode.unknownTopicOrPartition)),
  )
  topics.leaving.delete(name)
  topics.deleted.add(name)
}

async function change(client: Client, admin: Admin, name: string): Promise<void> {
  const { random, shared } = client
  const value = String(1_000_000 + random.below(1000))
  const resource = { type: 'topic', name } as const
  const changes = [{ name: 'retention.bytes', operation: 'set', value }] as const
  await client.patiently(async () => {
    const [outcome] = await admin.alterConfigs([{ resource, changes }])
    if (outcome !== undefined && outcome.errorCode !== ErrorCode.none) {
      throw new KafkaError(outcome.errorCode)
    }
  })
  const [described] = await admin.describeConfigs([resource])
  const found = described?.entries.find((entry) => entry.name === 'retention.bytes')?.value
  if (found === value) return
  shared.violate(
    'lost setting',
    `retention.bytes of ${name} is ${found}, ${value} was acknowledged`,
  )
}

async function check(
  { shared, name: who }: Client,
  admin: Admin,
  topics: KnownTopics,
  prefix: string,
): Promise<void> {
  const before = new Set(topics.existing)
  const listed = new Set(await admin.listTopics())
  for (const name of before) {
    if (!listed.has(name)) shared.violate('lost topic', `${who} does not find its topic ${name}`)
  }
  for (const name of listed) {
    if (name.startsWith(prefix) && topics.deleted.has(name)) {
      shared.violate('deleted topic', `${who} finds topic ${name}, whose deletion was acknowledged`)
    }
  }
}

function unless(errorCode: number): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof KafkaError) || error.errorCode !== errorCode) throw error
  }
}
