// Keys of Kafka's server.properties that this broker knows and has no use for, each with the reason.
// A file that has them is read without a warning; setting one while the broker runs is refused with
// the reason, because a success would promise an effect.

const threads = 'one thread serves all requests here'
const oneNode = 'there is one node, which is its own controller'
const noQuotas = 'quotas are not kept here'
const noPurgatory = 'there are no purgatories here'
const noTiers = 'tiered storage is not supported'
const noShare = 'share groups are not served'
const noStreams = 'streams groups are not served'
const noPlugins = 'Java classes cannot be loaded here'

const byKey: Readonly<Record<string, string>> = {
  'process.roles': oneNode,
  'broker.heartbeat.interval.ms': oneNode,
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
  'log.cleaner.io.buffer.load.factor': 'the map of keys is filled to nine tenths here',
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
  'group.consumer.assignment.interval.ms': 'consumer groups are assigned partitions at once here',
  'group.coordinator.cached.buffer.max.bytes': 'coordinators keep no buffers between appends here',
  'telemetry.max.bytes': 'clients do not push their metrics here',
}

const byPrefix: readonly (readonly [prefix: string, reason: string])[] = [
  ['controller.', oneNode],
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

/** Why Kafka's option has no effect here; undefined when it is used, or not Kafka's at all. */
export function unusedReason(key: string): string | undefined {
  if (Object.hasOwn(byKey, key)) return byKey[key]
  return byPrefix.find(([prefix]) => key.startsWith(prefix))?.[1]
}
