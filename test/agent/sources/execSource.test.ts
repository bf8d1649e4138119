// The exec source against a process that the test plays.

import { expect, test } from 'vitest'
import { ChannelProcessor } from '../../../agent/channelProcessor.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import { readOptions } from '../../../agent/configuration/options.ts'
import { SourceCounter } from '../../../agent/monitoring/counters.ts'
import { ExecSource, execOptions } from '../../../agent/sources/execSource.ts'
import { silentLogger } from '../../../protocol/telemetry/logger.ts'
import { ManualClock } from '../../manualClock.ts'
import { component } from '../component.ts'

async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

async function rig(lines: Readonly<Record<string, string | number>>, outputs: string[][]) {
  const clock = new ManualClock()
  const channel = memoryChannel(component('channels', 'c1', { type: 'memory' }), clock)
  await channel.start()
  const commands: (readonly string[])[] = []
  const counter = new SourceCounter()
  const selected = { required: [channel], optional: [], select: <T>(batch: T) => batch }
  const all = { type: 'exec', command: 'tail -F  /x y', ...lines }
  const source = new ExecSource(readOptions(execOptions, component('sources', 'r1', all)), {
    clock,
    logger: silentLogger,
    counter,
    progress: { bytesRead: 0 },
    processor: new ChannelProcessor([], selected, counter, silentLogger),
    startProcess: (command) => {
      commands.push(command)
      const output = pieces(...(outputs.shift() ?? []))
      return { output, errors: pieces('trouble'), exit: Promise.resolve(0), kill: () => {} }
    },
  })
  await source.start()
  const signal = new AbortController().signal
  const taken = async () => {
    const transaction = channel.transaction()
    transaction.begin()
    const batches = await transaction.take(100)
    await transaction.commit()
    return batches.flatMap((b) => Array.from({ length: b.count }, (_, n) => `${b.body(n)}`))
  }
  return { source, commands, counter, taken, process: () => source.process(signal) }
}

test('lines go on over pieces of output; the last one may lack its end', async () => {
  const { process, taken, commands } = await rig({}, [['one\ntw', 'o\nthr', 'ee']])
  for (let read = 0; read < 4; read++) await process()
  expect(commands).toEqual([['tail', '-F', '/x', 'y']])
  expect(await taken()).toEqual(['one', 'two', 'three'])
})

test('a command that ends is not run again unless restart says so, and then after the throttle', async () => {
  const once = await rig({}, [['a\n']])
  for (let read = 0; read < 5; read++) await once.process()
  expect(once.commands).toHaveLength(1)
  const again = await rig({ restart: 'true', restartThrottle: 1234 }, [['a\n'], ['b\n']])
  await again.process()
  expect(await again.process()).toBe(1234)
  await again.process()
  expect(again.commands).toHaveLength(2)
  expect(await again.taken()).toEqual(['a', 'b'])
})

test('a shell gets the command as one word; batchSize bounds a put', async () => {
  const { process, commands, counter } = await rig({ shell: '/bin/sh -c', batchSize: 2 }, [
    ['1\n2\n3\n4\n5\n'],
  ])
  await process()
  expect(commands).toEqual([['/bin/sh', '-c', 'tail -F  /x y']])
  expect(counter).toMatchObject({ EventAcceptedCount: 5, AppendBatchAcceptedCount: 3 })
})
