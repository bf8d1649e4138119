// The exec source with a simulated process.

import { expect, test } from 'vitest'
import { ChannelProcessor } from '../../../agent/channelProcessor.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import { readOptions } from '../../../agent/configuration/options.ts'
import { SourceCounter } from '../../../agent/monitoring/counters.ts'
import { ExecSource, execOptions } from '../../../agent/sources/execSource.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { drive } from '../../protocol/client/drive.ts'
import { component } from '../component.ts'

async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

interface RigOptions {
  readonly channel?: Readonly<Record<string, string | number>>
  readonly exit?: number | 'never'
}

async function rig(
  lines: Readonly<Record<string, string | number>>,
  outputs: string[][],
  { channel: channelLines = {}, exit = 0 }: RigOptions = {},
) {
  const clock = new ManualClock()
  const logger = new MemoryLogger()
  const channel = memoryChannel(
    component('channels', 'c1', { type: 'memory', ...channelLines }),
    clock,
  )
  await channel.start()
  const commands: (readonly string[])[] = []
  const kills: boolean[] = []
  const counter = new SourceCounter()
  const selected = { required: [channel], optional: [], select: <T>(batch: T) => batch }
  const all = { type: 'exec', command: 'tail -F  /x y', ...lines }
  const source = new ExecSource(readOptions(execOptions, component('sources', 'r1', all)), {
    clock,
    logger,
    counter,
    progress: { bytesRead: 0 },
    processor: new ChannelProcessor([], selected, counter, silentLogger),
    startProcess: (command) => {
      commands.push(command)
      const output = pieces(...(outputs.shift() ?? []))
      const kill = (isForced = false) => kills.push(isForced)
      const ends = exit === 'never' ? new Promise<never>(() => {}) : Promise.resolve(exit)
      return { output, errors: pieces('trouble'), exit: ends, kill }
    },
  })
  await source.start()
  const stop = new AbortController()
  const taken = async () => {
    const transaction = channel.transaction()
    transaction.begin()
    const batches = await transaction.take(100)
    await transaction.commit()
    transaction.close()
    return batches.flatMap((b) => Array.from({ length: b.count }, (_, n) => `${b.body(n)}`))
  }
  const process = () => source.process(stop.signal)
  return { source, commands, counter, taken, process, clock, logger, kills, stop }
}

test('lines continue across pieces of output; the last one may lack its end', async () => {
  const { process, taken, commands } = await rig({}, [['one\ntw', 'o\nthr', 'ee']])
  for (let read = 0; read < 4; read++) await process()
  expect(commands).toEqual([['tail', '-F', '/x', 'y']])
  expect(await taken()).toEqual(['one', 'two', 'three'])
})

test('a command that exits is restarted only if restart is true, after restartThrottle', async () => {
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

test('a line ends with a newline, a carriage return, or both, also across pieces', async () => {
  const { process, taken } = await rig({}, [['a\rb\r\nc\nd\r', '\ne\r', 'f\r\r\ng']])
  for (let read = 0; read < 5; read++) await process()
  expect(await taken()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', '', 'g'])
})

test('a full channel drops nothing: the command waits until there is room', async () => {
  const lines = Array.from({ length: 12 }, (_, n) => `line ${n}`)
  const capacity = { capacity: 5, transactionCapacity: 5, 'keep-alive': 3 }
  const { process, taken, clock, logger } = await rig(
    { batchSize: 5 },
    [[`${lines.join('\n')}\n`]],
    { channel: capacity },
  )
  const all: string[] = []
  for (let round = 0; all.length < lines.length; round++) {
    expect(round).toBeLessThan(20)
    await drive(clock, process())
    all.push(...(await taken()))
  }
  expect(all).toEqual(lines)
  expect(logger.messages('error')).toEqual([])
  expect(logger.messages('warn')).toEqual([
    'a channel refuses lines of the command: its output is not read until they are accepted',
  ])
})

test('a full channel does not delay the stop, which logs the lost lines', async () => {
  const { process, source, clock, logger, stop, kills } = await rig(
    { batchSize: 5 },
    [['1\n2\n3\n4\n5\n6\n7\n']],
    { channel: { capacity: 5, transactionCapacity: 5, 'keep-alive': 3600 } },
  )
  const processing = process()
  await clock.advanceAndSettle(0)
  stop.abort()
  expect(await processing).toBe(0)
  const startMs = clock.monotonicMs()
  await drive(clock, source.stop())
  expect(clock.monotonicMs() - startMs).toBeLessThan(1000)
  expect(kills).toEqual([false])
  expect(logger.messages('warn')).toContain(
    '2 lines of a command are lost: no channel accepted them',
  )
})

test.each([
  [
    127,
    'error',
    /failed to start: not found \(exit code 127\): it is not restarted, because restart is not true/,
  ],
  [1, 'error', /exited with 1: it is not restarted, because restart is not true/],
  [0, 'warn', /exited: it is not restarted/],
] as const)('a command that exits with %i is logged as %s', async (exit, level, message) => {
  const { process, logger } = await rig({}, [[]], { exit })
  for (let read = 0; read < 2; read++) await process()
  expect(logger.messages(level)).toEqual([expect.stringMatching(message)])
  expect(logger.lines[0]!.fields).toMatchObject({ command: 'tail -F  /x y', exit, text: 'trouble' })
})

test('a command that does not exit after SIGKILL is abandoned in bounded time', async () => {
  const { process, source, clock, logger, kills } = await rig({}, [['a\n']], { exit: 'never' })
  await process()
  await drive(clock, source.stop())
  expect(kills).toEqual([false, true])
  expect(clock.monotonicMs()).toBeLessThan(10_000)
  expect(logger.messages('error')).toEqual(['command of an exec source did not exit after SIGKILL'])
})
