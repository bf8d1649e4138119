// Plans of valid and invalid configurations: which components the agent gets, and which problems
// are reported, with file, line and property.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is Flume's own syntax

import { describe, expect, test } from 'vitest'
import { type PlanDependencies, planAgent } from '../../agent/agentPlan.ts'
import {
  formatProblem,
  readFlumeConfiguration,
} from '../../agent/configuration/flumeConfiguration.ts'
import { parseProperties } from '../../agent/configuration/properties.ts'
import { substitute } from '../../agent/configuration/substitution.ts'
import type { EventBatch } from '../../agent/event.ts'
import { ConfigurationRefused } from '../../agent/planVerdict.ts'
import type { SelectorType } from '../../agent/selectors/selectorTypes.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'

const base = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = exec
a1.sources.r1.command = tail -F /x
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
`

function plan(text: string, own: Partial<PlanDependencies> = {}) {
  const properties = substitute(parseProperties(text, 'x.conf'), { env: {}, sys: {} })
  const read = readFlumeConfiguration(properties)
  const clock = new ManualClock()
  const dependencies = {
    runtime: {
      clock,
      random: seededRandom(1),
      disk: new MemoryDisk(),
      network: memoryNetwork(),
      scheduler: systemScheduler,
    },
    logger: silentLogger,
    host: { name: 'h', fullName: 'h.example', address: '10.0.0.1' },
    startProcess: () => {
      throw new Error('nothing is started by planning')
    },
    baseDirectory: '/base',
    homeDirectory: '/home/me',
    ...own,
  }
  const planned = planAgent(read.agents.get('a1')!, dependencies, read.problems)
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(' ')
  const { sources, channels, sinks, problems } = planned
  return {
    parts: `${names(sources)} | ${names(channels)} | ${names(sinks)}`,
    problems: problems.map(formatProblem),
  }
}

const taildir = `${base.replace('exec', 'taildir').replace('command = tail -F /x', 'filegroups = f')}a1.sources.r1.filegroups.f = /x/y
`
const kafka = `${base.replace('logger', 'org.apache.flume.sink.kafka.kafkasink')}a1.sinks.k1.kafka.bootstrap.servers = h:1
`
const file = base.replace('memory', 'FILE')

/** The lines of the error of a refused configuration. */
function refusal(text: string): string[] {
  try {
    plan(text)
  } catch (error) {
    if (error instanceof ConfigurationRefused) return error.message.split('\n')
    throw error
  }
  throw new Error('it was not refused')
}

describe('an agent', () => {
  test.each([base, taildir, kafka, file])('has the components that its lists name: %#', (text) => {
    expect(plan(text)).toEqual({ parts: 'r1 | c1 | k1', problems: [] })
  })

  test.each<[string, string, string, RegExp]>([
    ['an unknown option', base, 'sinks.k1.colour = 3', /unknown option, ignored$/],
    [
      'a misspelled option',
      base,
      'channels.c1.transactionCapactiy = 3',
      /unknown option, ignored: did you mean transactionCapacity\?$/,
    ],
    ['a key below an option', base, 'sources.r1.command.x = 3', /unknown option, ignored/],
    ['an empty value', base, 'sinks.k1.maxBytesToLog =', /empty value/],
    ['a component that is not listed', base, 'sinks.k2.type = logger', /does not list this comp/],
    [
      'a misspelled component kind',
      base,
      'sink.k1.type = logger',
      /after the name of the agent, a key needs one of .*: did you mean sinks\?$/,
    ],
    ['an invalid boolean', base, 'sources.r1.restart = yes', /'yes' is neither true nor false/],
    ['a capacity below 1', base, 'channels.c1.capacity = 0', /0 is less than 1: using 100$/],
    [
      'a transactionCapacity below 1',
      file,
      'channels.c1.transactionCapacity = -1',
      /-1 is less than 1: using 10000$/,
    ],
    [
      'a maxBatchCount below 1',
      taildir,
      'sources.r1.maxBatchCount = 0',
      /0 is less than 1: using \d+$/,
    ],
    [
      'an undefined file group',
      taildir,
      'sources.r1.filegroups = f g',
      /group g is ignored: a1\.sources\.r1\.filegroups\.g is not set$/,
    ],
    [
      'a file group that is not listed',
      taildir,
      'sources.r1.filegroups.ff = /x/z',
      /a1\.sources\.r1\.filegroups does not list ff: ignored/,
    ],
    [
      'an unknown option of an interceptor',
      base,
      'sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = HOST\na1.sources.r1.interceptors.i1.useIp = false',
      /interceptors\.i1\.useIp: unknown option, ignored: did you mean useIP\?$/,
    ],
    [
      'a producer setting that has no effect',
      kafka,
      'sinks.k1.kafka.producer.buffer.memory = 5',
      /has no effect: memory is bounded by five takes/,
    ],
    [
      'weaker acks than all',
      kafka,
      'sinks.k1.kafka.producer.acks = 1',
      /has no effect: acks is always all/,
    ],
    [
      'a misspelled producer setting',
      kafka,
      'sinks.k1.kafka.producer.compresion.type = gzip',
      /did you mean kafka\.producer\.compression\.type\?$/,
    ],
    [
      'a channel that the agent does not have',
      base,
      'sources.r1.channels = c1 c9',
      /c9 is not a valid channel: no event is put there$/,
    ],
    [
      'a reference to an unknown key',
      base,
      'sinks.k1.maxBytesToLogs = ${x}',
      /\$\{x\} is not substituted: no property has this key$/,
    ],
  ])('with %s has a warning', (_, text, line, problem) => {
    const planned = plan(`${text}a1.${line}\n`)
    expect(planned.parts).toBe('r1 | c1 | k1')
    expect(planned.problems.filter((message) => problem.test(message))).toHaveLength(1)
  })

  test.each<[string, string, string]>([
    ['acks of all', kafka, 'sinks.k1.kafka.producer.acks = all'],
    ['no encryption', kafka, 'sinks.k1.kafka.producer.security.protocol = PLAINTEXT'],
    ['events in Avro', kafka, 'sinks.k1.useFlumeEventFormat = true'],
    ["Java's largest number", taildir, 'sources.r1.maxBatchCount = 9223372036854775807'],
    ['a shell variable', base, 'sources.r1.command = sh -c "echo ${HOME_OF_NOBODY}"'],
    [
      "a regular expression of Java's",
      taildir,
      'sources.r1.filegroups.f = /x/app\\\\-\\\\d+\\\\_}',
    ],
  ])('with %s has no warning', (_, text, line) => {
    expect(plan(`${text}a1.${line}\n`)).toEqual({ parts: 'r1 | c1 | k1', problems: [] })
  })

  // Adds a second flow, which works, so that one component is refused and not the whole agent.
  const second = (text: string) =>
    `${text}a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r2.type = exec
a1.sources.r2.command = true
a1.sources.r2.channels = c2
a1.channels.c2.type = memory
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
`

  test.each<[string, string, string, RegExp]>([
    [
      'a missing required option',
      base,
      'type = taildir',
      /^x\.conf: a1\.sources\.r1\.filegroups: required, but not set/,
    ],
    [
      'an invalid number',
      base,
      'batchSize = ten',
      /^x\.conf:\d+: a1\.sources\.r1\.batchSize: 'ten' is not an integer/,
    ],
    [
      'a comment after a value',
      base,
      'type = exec # lines',
      /'exec # lines' \(a comment needs its own line.* is not supported/,
    ],
    [
      'a batch larger than a transaction',
      base,
      'batchSize = 101',
      /a batch of 101 events exceeds the transactionCapacity \(100\) of channel c1/,
    ],
    [
      'an interceptor of unknown type',
      base,
      'interceptors = i1\na1.sources.r1.interceptors.i1.type = timestmap',
      /'timestmap' is not supported: use one of timestamp, host; did you mean timestamp\?/,
    ],
    [
      'an unsupported regular expression',
      taildir,
      'filegroups.f = /x/a*+',
      /the regular expression 'a\*\+' is not supported, because of '\*\+'/,
    ],
    [
      'an unset system property',
      base,
      'command = tail -F ${sys:nothing}/x',
      /\$\{sys:nothing\} is not set: start the agent with -Dnothing=VALUE/,
    ],
    [
      'an environment variable that is not set',
      base,
      'command = tail -F ${env:NOTHING}/x',
      /\$\{env:NOTHING\} is not set: set the environment variable NOTHING/,
    ],
    [
      'a config filter',
      base,
      "command = tail -F ${f['x']}/x",
      /config filters are not supported yet/,
    ],
  ])('drops a source with %s, and runs the rest', (_, text, line, problem) => {
    const sinkless = second(text).replace('a1.sinks = k1 k2', 'a1.sinks = k2')
    const planned = plan(`${sinkless}a1.sources.r1.${line}\n`)
    expect(planned.parts).toBe('r2 | c2 | k2')
    const errors = planned.problems.filter((message) => problem.test(message))
    expect(errors).toEqual([expect.stringMatching(/; a1\.sources\.r1 is dropped$/)])
  })

  test.each<[string, string]>([
    ['sinks.k1.kafka.producer.security.protocol', 'SASL_SSL'],
    ['sinks.k1.kafka.producer.sasl.mechanism', 'SCRAM-SHA-512'],
    ['sinks.k1.kafka.producer.sasl.jaas.config', 'x'],
    ['sinks.k1.kafka.producer.ssl.truststore.location', '/x'],
    ['sinks.k1.kafka.producer.security.providers', 'x'],
    ['sinks.k1.kafka.producer.secruity.protocol', 'SSL'],
    ['sinks.k1.ssl', 'true'],
    ['sinks.k1.kerberosKeytab', '/x'],
    ['sources.r1.keystore-password', 'x'],
    ['sources.r1.ipFilterRules', 'deny:ip:*'],
    ['sources.r1.enableSSL', 'true'],
    ['sources.r1.keyStoreFile', '/x'],
    ['channels.c1.encryption.activeKey', 'k'],
    ['channels.c1.encryption.keyProvider.keyStoreFile', '/x'],
    ['channels.c1.encrpytion.keyProvider.keyStorePasswordFile', '/x'],
    ['sources.r1.interceptors.i1.password', 'x'],
  ])('a security setting is never ignored: %s', (key, value) => {
    const interceptor =
      'a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = host\n'
    const text = kafka.replace('memory', 'file') + interceptor
    expect(plan(text).parts).toBe('r1 | c1 | k1')
    const lines = refusal(`${text}a1.${key} = ${value}\n`)
    expect(lines[1]).toMatch(
      /^error: x\.conf:13: a1\.[^ ]+: (?:security setting that is not supported yet: |unknown security setting, which is not ignored)/,
    )
    expect(lines[1]).toContain(key)
  })

  test.each(['sinks.k1.ssl = false', 'sources.r1.kerberos = false'])(
    'but %s is accepted, because it enables no security',
    (line) => {
      expect(plan(`${base}a1.${line}\n`).parts).toBe('r1 | c1 | k1')
    },
  )

  test('is refused with a list of all problems, errors first', () => {
    const text = `${base}a1.channels.c1.type = jdbc
a1.sources.r1.batchSize = ten
a1.sources.r1.shel = /bin/sh -c
a1.sinks.k1.type = hdfs
`
    expect(refusal(text)).toEqual([
      'agent a1 is not started: it has no valid channel',
      "error: x.conf:10: a1.channels.c1.type: 'jdbc' is not supported: use one of file, memory; a1.channels.c1 is dropped",
      "error: x.conf:6: a1.sources.r1.channels: 'c1' is not a valid channel: the agent has none",
      "error: x.conf:11: a1.sources.r1.batchSize: 'ten' is not an integer from 1 to 9007199254740991; a1.sources.r1 is dropped",
      "error: x.conf:13: a1.sinks.k1.type: 'hdfs' is not supported: use one of kafka, logger, null",
      "error: x.conf:9: a1.sinks.k1.channel: 'c1' is not a valid channel: the agent has none; a1.sinks.k1 is dropped",
      'warning: x.conf:12: a1.sources.r1.shel: unknown option, ignored: did you mean shell?',
    ])
  })

  test.each<[string, string, RegExp]>([
    [
      'no channel',
      base.replace('channels = c1', 'chanels = c1'),
      /^agent a1 .* no channel \(a1\.channels lists none\)$/,
    ],
    ['no sink', base.replace('logger', 'hdfs'), /no valid sink, so nothing would leave/],
    ['no sink listed', base.replace('sinks = k1', 'sinks = k2'), /no valid sink/],
    [
      'no source',
      base.replace('exec', 'netcat'),
      /^agent a1 is not started: it has no valid source$/,
    ],
    [
      'neither source nor sink',
      base.replace('exec', 'netcat').replace('logger', 'hdfs'),
      /no valid source and no valid sink/,
    ],
    [
      'a channel without a valid sink',
      second(base).replace('null', 'hdfs'),
      /no valid sink for channel c2, which would fill up and stop source r2/,
    ],
    [
      'a failover group, whose sinks would both deliver',
      `${base}a1.sinkgroups = g\na1.sinkgroups.g.sinks = k1\na1.sinkgroups.g.processor.type = failover\n`,
      /no valid sink/,
    ],
  ])('with %s is not started', (_, text, reason) => {
    expect(refusal(text)[0]).toMatch(reason)
  })

  test('without a source may drain a file channel', () => {
    expect(plan(file.replace('a1.sources = r1\n', '')).parts).toBe(' | c1 | k1')
    expect(refusal(base.replace('a1.sources = r1\n', ''))[0]).toMatch(
      /no source \(a1\.sources lists none\)$/,
    )
  })

  test.each([
    [
      'sources.r1.channels = c1',
      'sources.r1.channel = c1',
      'error: x.conf:6: a1.sources.r1.channel: a source needs at least one channel: use a1.sources.r1.channels',
    ],
    [
      'sinks.k1.channel = c1',
      'sinks.k1.channels = c1',
      'error: x.conf:9: a1.sinks.k1.channels: a sink needs exactly one channel: use a1.sinks.k1.channel',
    ],
    [
      'sinks.k1.channel = c1',
      'sinks.k1.chanel = c1',
      'error: x.conf: a1.sinks.k1.channel: required, but not set: a sink needs exactly one channel',
    ],
    [
      'sinks.k1.channel = c1',
      'sinks.k1.channel = c3',
      "error: x.conf:9: a1.sinks.k1.channel: 'c3' is not a valid channel: the agent has c1",
    ],
  ])('with %s replaced by %s, the right key is named', (right, wrong, message) => {
    expect(refusal(base.replace(right, wrong)).some((line) => line.startsWith(message))).toBe(true)
  })
})

test('a program that embeds the agent adds interceptor and selector types of its own', () => {
  const text = `${base}a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = own
a1.sources.r1.selector.type = own
`
  const made: string[] = []
  const own = { alias: 'own', className: 'x.Own', options: {} }
  const interceptor = {
    ...own,
    make: () => {
      made.push('interceptor')
      return (batch: EventBatch) => batch
    },
  }
  const selector: SelectorType = {
    ...own,
    make: (_, required) => {
      made.push('selector')
      return { required, optional: [], select: (batch) => batch }
    },
  }
  const types = { interceptorTypes: [interceptor], selectorTypes: [selector] }
  expect(plan(text, types).problems).toEqual([])
  expect(made.sort()).toEqual(['interceptor', 'selector'])
  expect(() => plan(text)).toThrow()
})
