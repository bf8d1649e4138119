// Keys of Kafka's server.properties that have no effect in this broker, each with the reason. In a
// configuration file they cause no warning. Setting one while the broker runs is refused with the
// reason, because success would promise an effect.

const threads = 'one thread serves all requests'
const oneNode = 'there is one node, which is its own controller'
const noQuotas = 'quotas are not supported'
const noPurgatory = 'waiting requests are not kept in purgatories'
const noTiers = 'tiered storage is not supported'
const noShare = 'share groups are not served'
const noStreams = 'streams groups are not served'
const noOlderBrokers = 'there are no brokers of an older version'
const noZooKeeper = 'metadata is kept in the data directory, and ZooKeeper is not used'
const asNeeded = 'the broker chooses the value'
const noPlugins = 'Java classes cannot be loaded'

const byKey: Readonly<Record<string, string>> = {
  'process.roles': oneNode,
  'broker.heartbeat.interval.ms': oneNode,
  'broker.id.generation.enable': oneNode,
  'broker.rack': oneNode,
  'early.start.listeners': oneNode,
  'reserved.broker.max.id': oneNode,
  'offsets.topic.replication.factor': oneNode,
  'offsets.commit.required.acks': oneNode,
  'transaction.state.log.replication.factor': oneNode,
  'transaction.state.log.min.isr': oneNode,
  'unclean.leader.election.interval.ms': oneNode,
  'add.partitions.to.txn.retry.backoff.ms': oneNode,
  'add.partitions.to.txn.retry.backoff.max.ms': oneNode,
  'request.timeout.ms': oneNode,
  'server.max.startup.time.ms': oneNode,
  'inter.broker.protocol.version': noOlderBrokers,
  'log.message.format.version': noOlderBrokers,
  'log.message.downconversion.enable': 'records of formats before Kafka 0.11 are not served',
  'log.message.timestamp.difference.max.ms':
    'Kafka 4 has log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms in its place',
  'log.dir.failure.timeout.ms': oneNode,
  'log.flush.start.offset.checkpoint.interval.ms':
    'log starts are written with log.flush.offset.checkpoint.interval.ms',
  'offsets.load.buffer.size': asNeeded,
  'transaction.state.log.load.buffer.size': asNeeded,
  'producer.id.expiration.check.interval.ms': asNeeded,
  'offsets.topic.compression.codec': 'records of __consumer_offsets are not compressed',
  'offsets.commit.timeout.ms': 'an append is answered when it is durable, or has failed',
  'transaction.two.phase.commit.enable': 'two-phase commit (KIP-939) is not supported',
  'socket.listen.backlog.size': 'the operating system bounds connections that are not yet accepted',
  'connection.failed.authentication.delay.ms': 'clients do not authenticate',
  'broker.session.timeout.ms': oneNode,
  'initial.broker.registration.timeout.ms': oneNode,
  'inter.broker.listener.name': oneNode,
  'security.inter.broker.protocol': oneNode,
  'auto.leader.rebalance.enable': oneNode,
  'leader.imbalance.check.interval.seconds': oneNode,
  'leader.imbalance.per.broker.percentage': oneNode,
  'controlled.shutdown.enable': oneNode,
  'num.replica.fetchers': oneNode,
  'num.replica.alter.log.dirs.threads': threads,
  'background.threads': threads,
  'num.io.threads': threads,
  'num.network.threads': threads,
  'num.recovery.threads.per.data.dir': threads,
  'group.coordinator.threads': threads,
  'log.cleaner.threads': threads,
  'log.cleaner.io.buffer.load.factor': 'the map of keys is filled to nine tenths',
  'queued.max.requests': threads,
  'fetch.purgatory.purge.interval.requests': noPurgatory,
  'producer.purgatory.purge.interval.requests': noPurgatory,
  'delete.records.purgatory.purge.interval.requests': noPurgatory,
  'socket.send.buffer.bytes': 'the operating system sizes the buffers of sockets',
  'socket.receive.buffer.bytes': 'the operating system sizes the buffers of sockets',
  'metric.reporters': noPlugins,
  'auto.include.jmx.reporter': noPlugins,
  'metrics.recording.level': noPlugins,
  'authorizer.class.name': noPlugins,
  'alter.config.policy.class.name': noPlugins,
  'create.topic.policy.class.name': noPlugins,
  'client.quota.callback.class': noPlugins,
  'principal.builder.class': noPlugins,
  'log.local.retention.bytes': noTiers,
  'log.local.retention.ms': noTiers,
  'config.providers': noPlugins,
  'follower.fetch.last.tiered.offset.enable': noTiers,
  'group.consumer.assignment.interval.ms': 'consumer groups are assigned partitions immediately',
  'group.coordinator.cached.buffer.max.bytes': 'coordinators keep no buffers between appends',
  'telemetry.max.bytes': 'metrics pushed by clients (KIP-714) are not supported',
}

const byPrefix: readonly (readonly [prefix: string, reason: string])[] = [
  ['controller.quorum.', oneNode],
  ['controller.socket.', oneNode],
  ['controller.performance.', oneNode],
  ['controller.quota.', noQuotas],
  ['controlled.shutdown.', oneNode],
  ['zookeeper.', noZooKeeper],
  ['socket.connection.setup.', oneNode],
  ['group.coordinator.', asNeeded],
  ['metrics.', noPlugins],
  ['config.providers', noPlugins],
  ['unstable.', 'unstable API versions are not supported'],
  ['metadata.log.', oneNode],
  ['replica.', oneNode],
  ['remote.', noTiers],
  ['log.remote.', noTiers],
  ['errors.deadletterqueue.', noShare],
  ['group.share.', noShare],
  ['share.', noShare],
  ['group.streams.', noStreams],
  ['kafka.metrics.', noPlugins],
  ['quota.window.', noQuotas],
  ['replication.quota.', noQuotas],
  ['alter.log.dirs.replication.quota.', noQuotas],
]

/** The keys that are known by their full name, for suggestions after a typing mistake. */
export const unusedKeys: readonly string[] = Object.keys(byKey)

/**
 * Why an option of Kafka has no effect here; undefined if it has one, or is not an option of Kafka.
 */
export function unusedReason(key: string): string | undefined {
  if (Object.hasOwn(byKey, key)) return byKey[key]
  return byPrefix.find(([prefix]) => key.startsWith(prefix))?.[1]
}
