// Groups of both protocols: described while they consume, reset and deleted when they are empty.

import { prepare, run, type Section, type Step, start, stop } from '../section.ts'

/** With keys, so that they go to the same partitions in both brokers. */
const tenLines = Array.from({ length: 10 }, (_, at) => `a:line ${at}\n`).join('')
const keyed = '--property parse.key=true --property key.separator=:'
const groups = 'kafka-consumer-groups'

/** Returns the same commands for a group of either protocol. */
function lifeOfAGroup(group: string, topic: string, protocol: 'classic' | 'consumer'): Step[] {
  const reset = `${groups} --reset-offsets --group ${group}`
  return [
    prepare(`kafka-topics --create --topic ${topic} --partitions 2`),
    prepare(`kafka-console-producer --topic ${topic} --sync ${keyed}`, tenLines),
    start(
      `kafka-console-consumer --topic ${topic} --group ${group} --from-beginning --consumer-property group.protocol=${protocol} --consumer-property auto.commit.interval.ms=100 --consumer-property client.id=reader`,
      /(line \d\n){10}/,
    ),
    run(`${groups} --list`, { unordered: true }),
    run(`${groups} --list --state`, { unordered: true }),
    run(`${groups} --list --state Stable --type ${protocol}`),
    run(`${groups} --list --type`, { unordered: true }),
    run(`${groups} --describe --group ${group}`, { unordered: true }),
    run(`${groups} --describe --group ${group} --members`),
    run(`${groups} --describe --group ${group} --members --verbose`),
    run(`${groups} --describe --group ${group} --offsets --verbose`, { unordered: true }),
    run(`${groups} --describe --group ${group} --state`),
    run(`${groups} --describe --group ${group} --state --verbose`),
    run(`${groups} --delete --group ${group}`),
    run(`${reset} --topic ${topic} --to-earliest --execute`),
    run(`${groups} --delete-offsets --group ${group} --topic ${topic}`),
    stop(),
    run(`${groups} --describe --group ${group}`, { unordered: true }),
    run(`${groups} --describe --group ${group} --members`),
    run(`${groups} --describe --group ${group} --state`),
    run(`${reset} --topic ${topic} --to-earliest --dry-run`, { unordered: true }),
    run(`${reset} --all-topics --to-earliest --execute`, { unordered: true }),
    run(`${reset} --topic ${topic} --shift-by 3 --execute`, { unordered: true }),
    run(`${reset} --topic ${topic}:0 --to-offset 1 --execute`),
    run(`${reset} --topic ${topic} --to-latest --execute`, { unordered: true }),
    run(`${reset} --topic ${topic} --by-duration PT1H --execute`, { unordered: true }),
    run(`${reset} --topic ${topic} --to-datetime 2020-01-01T00:00:00.000 --execute`, {
      unordered: true,
    }),
    run(`${reset} --topic ${topic} --to-datetime 2099-01-01T00:00:00.000 --execute`, {
      unordered: true,
    }),
    run(`${reset} --topic ${topic} --to-current --export --dry-run`, { unordered: true }),
    run(`${reset} --from-file FILES/${group}.csv --execute`),
    run(`${groups} --describe --group ${group} --offsets`, { unordered: true }),
    run(`${groups} --delete-offsets --group ${group} --topic ${topic}:0`),
    run(`${groups} --delete-offsets --group ${group} --topic nobody`),
    run(`${groups} --describe --group ${group} --offsets`, { unordered: true }),
    run(`${groups} --delete --group ${group}`),
    run(`${groups} --describe --group ${group}`, { unordered: true }),
  ]
}

const classic: Section = {
  name: 'kafka-consumer-groups: classic protocol',
  files: { 'old.csv': 'old-topic,0,2\n' },
  steps: lifeOfAGroup('old', 'old-topic', 'classic'),
}

const consumer: Section = {
  name: 'kafka-consumer-groups: consumer protocol',
  files: { 'new.csv': 'new-topic,0,2\n' },
  steps: lifeOfAGroup('new', 'new-topic', 'consumer'),
}

const all: Section = {
  name: 'kafka-consumer-groups: all, none; kafka-groups',
  steps: [
    prepare('kafka-topics --create --topic grouped'),
    prepare(`kafka-console-producer --topic grouped --sync ${keyed}`, tenLines),
    prepare('kafka-console-consumer --topic grouped --group g1 --from-beginning --max-messages 4'),
    prepare(
      'kafka-console-consumer --topic grouped --group g2 --from-beginning --max-messages 6 --consumer-property group.protocol=consumer',
    ),
    run(`${groups} --describe --all-groups`, { measures: true, unordered: true }),
    run(`${groups} --describe --all-groups --state`, { unordered: true }),
    run(`${groups} --describe --group nobody`),
    run(`${groups} --describe --group nobody --members`),
    run(`${groups} --describe --group nobody --state`),
    run(`${groups} --reset-offsets --group unborn --topic grouped --to-latest --execute`),
    run(`${groups} --reset-offsets --group unborn --topic nobody --to-latest --execute`),
    run(`${groups} --reset-offsets --all-groups --topic grouped --to-earliest --dry-run`, {
      unordered: true,
    }),
    run(`${groups} --delete --group nobody`),
    run(`${groups} --delete-offsets --group nobody --topic grouped`),
    run(`${groups} --validate-regex 'gro.*'`),
    run('kafka-groups --list', { unordered: true }),
    run('kafka-groups --list --consumer', { unordered: true }),
    run('kafka-groups --list --group-type consumer'),
    run('kafka-groups --list --group-type classic', { unordered: true }),
    run('kafka-groups --list --share'),
    run('kafka-groups --list --streams'),
    run(`${groups} --delete --group g1 --group g2`, { unordered: true }),
    run(`${groups} --list`, { unordered: true }),
  ],
}

const others: Section = {
  name: 'kafka-share-groups, kafka-streams-groups, kafka-streams-application-reset',
  steps: [
    prepare('kafka-topics --create --topic shared'),
    run('kafka-share-groups --list'),
    run('kafka-share-groups --describe --group sharers', {
      note: 'not served; Kafka refuses as well until share.version is 1',
    }),
    run('kafka-share-groups --delete --group sharers'),
    run('kafka-streams-groups --list'),
    run('kafka-streams-groups --describe --group streamers'),
    run('kafka-streams-application-reset --application-id application --input-topics shared'),
    run(
      'kafka-streams-application-reset --application-id application --input-topics shared --to-earliest --dry-run',
    ),
  ],
}

export const groupSections = [classic, consumer, all, others]
