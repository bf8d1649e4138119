// What becomes of right and wrong configurations: which components an agent has, and what it says
// about the others, with file, line and property.

import { describe, expect, test } from 'vitest'
import { planAgent } from '../../agent/agentPlan.ts'
import {
  formatProblem,
  readFlumeConfiguration,
} from '../../agent/configuration/flumeConfiguration.ts'
import { parseProperties } from '../../agent/configuration/properties.ts'
import { memoryNetwork } from '../../protocol/runtime/memoryNetwork.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { silentLogger } from '../../protocol/telemetry/logger.ts'
import { ManualClock } from '../manualClock.ts'
import { MemoryDisk } from '../memoryDisk.ts'

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

function plan(text: string) {
  const read = readFlumeConfiguration(parseProperties(text, 'x.conf'))
  const clock = new ManualClock()
  const planned = planAgent(read.agents.get('a1')!, {
    runtime: { clock, random: seededRandom(1), disk: new MemoryDisk(), network: memoryNetwork() },
    logger: silentLogger,
    host: { name: 'h', fullName: 'h.example', address: '10.0.0.1' },
    startProcess: () => {
      throw new Error('nothing is started by planning')
    },
    baseDirectory: '/base',
    homeDirectory: '/home/me',
  })
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(' ')
  const { sources, channels, sinks, problems } = planned
  return {
    parts: `${names(sources)} | ${names(channels)} | ${names(sinks)}`,
    problems: [...read.problems, ...problems].map(formatProblem),
  }
}

describe('an agent', () => {
  test('has what its lists name', () => {
    expect(plan(base)).toEqual({ parts: 'r1 | c1 | k1', problems: [] })
  })

  test.each<[string, string, string, RegExp]>([
    [
      'an unknown type',
      'a1.sinks.k1.type = hdfs',
      'r1 | c1 | ',
      /^x\.conf:10: a1\.sinks\.k1\.type: 'hdfs' is not supported/,
    ],
    [
      'a missing required option',
      'a1.sources.r1.type = taildir',
      ' | c1 | k1',
      /^x\.conf: a1\.sources\.r1\.filegroups: missing, but required/,
    ],
    [
      'a number that is none',
      'a1.sources.r1.batchSize = ten',
      ' | c1 | k1',
      /^x\.conf:10: a1\.sources\.r1\.batchSize: 'ten' is not a whole number/,
    ],
    [
      'a batch larger than a transaction',
      'a1.sources.r1.batchSize = 101',
      ' | c1 | k1',
      /^x\.conf:10: .*batch of 101 is larger than the transactionCapacity \(100\) of channel c1/,
    ],
    [
      'a channel that is not there',
      'a1.sinks.k1.channel = c2',
      'r1 | c1 | ',
      /^x\.conf:10: a1\.sinks\.k1\.channel: names no valid channel/,
    ],
    [
      'an unknown option',
      'a1.sinks.k1.maxBytesToLogg = 3',
      'r1 | c1 | k1',
      /^x\.conf:10: a1\.sinks\.k1\.maxBytesToLogg: no such option/,
    ],
    [
      'an empty value',
      'a1.sinks.k1.maxBytesToLog =',
      'r1 | c1 | k1',
      /^x\.conf:10: a1\.sinks\.k1\.maxBytesToLog: the value is empty/,
    ],
    [
      'a component that is not listed',
      'a1.sinks.k2.type = logger',
      'r1 | c1 | k1',
      /^x\.conf:10: a1\.sinks\.k2\.type: a1\.sinks does not list this component/,
    ],
    [
      'a key that is none',
      'a1.sink.k1.type = logger',
      'r1 | c1 | k1',
      /^x\.conf:10: a1\.sink\.k1\.type: after the agent's name comes one of/,
    ],
    [
      'an interceptor of unknown type',
      'a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = magic',
      ' | c1 | k1',
      /^x\.conf:11: a1\.sources\.r1\.interceptors\.i1\.type: 'magic' is not supported/,
    ],
    [
      'a regular expression only Java has',
      'a1.sources.r1.type = taildir\na1.sources.r1.filegroups = f\na1.sources.r1.filegroups.f = /x/a*+',
      ' | c1 | k1',
      /^x\.conf:12: .*works in Java's regular expressions only/,
    ],
    [
      'events in Avro for Kafka',
      'a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink\na1.sinks.k1.kafka.bootstrap.servers = h:1\na1.sinks.k1.useFlumeEventFormat = true',
      'r1 | c1 | ',
      /^x\.conf:12: a1\.sinks\.k1\.useFlumeEventFormat: only false is supported/,
    ],
  ])('with %s', (_, line, parts, problem) => {
    const planned = plan(`${base}${line}\n`)
    expect(planned.parts).toBe(parts)
    expect(planned.problems.filter((text) => problem.test(text))).toHaveLength(1)
  })

  test('without a channel, or with neither source nor sink, is refused with the reason', () => {
    expect(() => plan(`${base}a1.channels.c1.type = jdbc\n`)).toThrow(
      /^agent a1 has no valid channel; first problem: x\.conf:10: a1\.channels\.c1\.type: 'jdbc'/,
    )
    const none = `${base}a1.sources.r1.channels = x\na1.sinks.k1.channel = x\n`
    expect(() => plan(none)).toThrow(/^agent a1 has neither a valid source nor a valid sink/)
  })
})
