// The hard cases of tailing: rotation, truncation, partial lines, full channels, restarts. The
// source runs against a memory channel that keeps everything, on a disk in memory.

import { describe, expect, test } from 'vitest'
import { ChannelProcessor } from '../../../agent/channelProcessor.ts'
import type { Channel } from '../../../agent/channels/channel.ts'
import { memoryChannel } from '../../../agent/channels/memoryChannel.ts'
import type { EventBatch } from '../../../agent/event.ts'
import { SourceCounter } from '../../../agent/monitoring/counters.ts'
import { readTaildirOptions } from '../../../agent/sources/taildir/taildirOptions.ts'
import { TaildirSource } from '../../../agent/sources/taildir/taildirSource.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { component } from '../component.ts'

type Lines = Readonly<Record<string, string | number | boolean>>

class Tail {
  readonly clock = new ManualClock()
  readonly disk = new MemoryDisk({ nowMs: () => this.clock.nowMs() })
  readonly logger = new MemoryLogger()
  readonly channels: Channel[] = []
  source: TaildirSource | undefined
  readonly #options: Lines

  constructor(options: Lines = {}, channelOptions: readonly Lines[] = [{}]) {
    this.#options = options
    channelOptions.forEach((lines, index) => {
      const all = { type: 'memory', capacity: 100_000, transactionCapacity: 100_000, ...lines }
      this.channels.push(memoryChannel(component('channels', `c${index}`, all), this.clock))
    })
  }

  async start(): Promise<void> {
    await this.disk.makeDirectory('/logs')
    for (const channel of this.channels) await channel.start()
    const lines = {
      type: 'taildir',
      filegroups: 'f1',
      'filegroups.f1': '/logs/app.*\\\\.log',
      positionFile: '/agent/positions.json',
      ...this.#options,
    }
    const { options, groups } = readTaildirOptions(component('sources', 'r1', lines), (p) => p)
    const { clock, disk } = this
    const counter = new SourceCounter()
    const selected = { required: this.channels, optional: [], select: (batch: EventBatch) => batch }
    const processor = new ChannelProcessor([], selected, counter, silentLogger)
    const progress = { bytesRead: 0 }
    const around = { clock, disk, logger: this.logger, counter, processor, progress }
    this.source = new TaildirSource('r1', groups, options, around)
    await this.source.start()
  }

  /** A new source over the same channels and disk, as after a crash: no position is written. */
  async restart(): Promise<void> {
    await this.start()
  }

  /** Runs the source for some rounds, enough to read all files; time passes between them. */
  async run(rounds = 4): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const processing = this.source!.process(new AbortController().signal)
      await this.clock.advanceAndSettle(300)
      await processing
    }
  }

  async append(path: string, text: string): Promise<void> {
    const file = await this.disk.open(path, 'write')
    await file.write([Buffer.from(text)], (await file.stat()).sizeBytes)
    await file.close()
  }

  async truncate(path: string): Promise<void> {
    const file = await this.disk.open(path, 'write')
    await file.truncate(0)
    await file.close()
  }

  /** Takes everything out of a channel. */
  async taken(channel = this.channels[0]!): Promise<string[]> {
    const transaction = channel.transaction()
    transaction.begin()
    const lines: string[] = []
    for (const batch of await transaction.take(100_000)) {
      for (let n = 0; n < batch.count; n++) lines.push(batch.body(n).toString())
    }
    await transaction.commit()
    return lines
  }
}

function numbered(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, n) => `line ${from + n}`)
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

describe('lines', () => {
  test('come in order, without their line ends, empty ones too', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', 'one\r\ntwo\n\nthree\n')
    await tail.run()
    expect(await tail.taken()).toEqual(['one', 'two', '', 'three'])
  })

  test('without a line end are held until the line end arrives', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', 'one\nhalf')
    await tail.run()
    expect(await tail.taken()).toEqual(['one'])
    await tail.append('/logs/app.log', ' a line\n')
    await tail.run()
    expect(await tail.taken()).toEqual(['half a line'])
  })

  test('without a line end are put when the file is idle', async () => {
    const tail = new Tail({ idleTimeout: 1000 })
    await tail.start()
    await tail.append('/logs/app.log', 'one\nlast')
    await tail.run(12)
    expect(await tail.taken()).toEqual(['one', 'last'])
    await tail.append('/logs/app.log', 'next\n')
    await tail.run()
    expect(await tail.taken()).toEqual(['next'])
  })

  test('longer than a chunk are whole, longer than maxLineBytes are split', async () => {
    const tail = new Tail({ maxLineBytes: 2_000_000 })
    await tail.start()
    await tail.append('/logs/app.log', `${'a'.repeat(1_500_000)}\n${'b'.repeat(2_500_000)}\nend\n`)
    await tail.run()
    const lines = await tail.taken()
    expect(lines.map((line) => `${line[0]} ${line.length}`)).toEqual([
      'a 1500000',
      'b 2000000',
      'b 500000',
      'e 3',
    ])
  })

  test('of many chunks, in small batches, arrive once and in order', async () => {
    const tail = new Tail({ batchSize: 7 })
    await tail.start()
    const lines = Array.from({ length: 90_000 }, (_, n) => `line ${n} ${'x'.repeat(n % 60)}`)
    await tail.append('/logs/app.log', text(lines))
    await tail.run()
    expect(await tail.taken()).toEqual(lines)
  })
})

describe('rotation', () => {
  test('by renaming within the pattern repeats nothing', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.disk.rename('/logs/app.log', '/logs/app.1.log')
    await tail.append('/logs/app.log', text(numbered(10, 20)))
    await tail.run()
    await tail.append('/logs/app.1.log', 'a late line\n')
    await tail.run()
    expect(await tail.taken()).toEqual([...numbered(0, 20), 'a late line'])
  })

  test('out of the pattern reads the rest of the file', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.append('/logs/app.log', text(numbered(10, 20)))
    await tail.disk.rename('/logs/app.log', '/logs/old')
    await tail.run()
    expect(await tail.taken()).toEqual(numbered(0, 20))
  })

  test('out of the pattern while stopped reads the rest of the file', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.append('/logs/app.log', text(numbered(10, 20)))
    await tail.disk.rename('/logs/app.log', '/logs/old')
    await tail.restart()
    await tail.run()
    expect(await tail.taken()).toEqual(numbered(0, 20))
  })
})

describe('truncation', () => {
  test('is detected when the file is shorter', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.truncate('/logs/app.log')
    await tail.append('/logs/app.log', 'new\n')
    await tail.run()
    expect(await tail.taken()).toEqual([...numbered(0, 10), 'new'])
  })

  test('is detected when the file has grown beyond its former size', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.truncate('/logs/app.log')
    await tail.append('/logs/app.log', text(numbered(100, 150)))
    await tail.run()
    expect(await tail.taken()).toEqual([...numbered(0, 10), ...numbered(100, 150)])
  })

  test('is detected when it happened while the source was stopped', async () => {
    const tail = new Tail()
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.truncate('/logs/app.log')
    await tail.append('/logs/app.log', text(numbered(100, 150)))
    await tail.restart()
    await tail.run()
    await tail.append('/logs/app.log', 'more\n')
    await tail.restart()
    await tail.run()
    expect(await tail.taken()).toEqual([...numbered(0, 10), ...numbered(100, 150), 'more'])
  })
})

describe('restart', () => {
  test('resumes from the position of the channel, not from the older position file', async () => {
    const tail = new Tail({ writePosInterval: 1_000_000 })
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.run()
    await tail.source!.stop()
    await tail.restart()
    await tail.append('/logs/app.log', text(numbered(10, 20)))
    await tail.run()
    await tail.restart()
    await tail.run()
    expect(await tail.taken()).toEqual(numbered(0, 20))
  })

  test('takes over a position file that Flume wrote', async () => {
    const tail = new Tail()
    await tail.disk.makeDirectory('/logs')
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    const { inode } = (await tail.disk.stat('/logs/app.log'))!
    await tail.disk.makeDirectory('/agent')
    const positions = [{ inode, pos: text(numbered(0, 4)).length, file: '/logs/app.log' }]
    const content = Buffer.from(JSON.stringify(positions))
    await tail.disk.writeFileAtomic('/agent/positions.json', content)
    await tail.start()
    await tail.run()
    expect(await tail.taken()).toEqual(numbered(4, 10))
    await tail.source!.stop()
    const written = JSON.parse(String(await tail.disk.readFile('/agent/positions.json')))
    expect(written).toEqual([{ inode, pos: text(numbered(0, 10)).length, file: '/logs/app.log' }])
  })

  test('with skipToEnd starts at the end of the files', async () => {
    const tail = new Tail({ skipToEnd: true })
    await tail.disk.makeDirectory('/logs')
    await tail.append('/logs/app.log', text(numbered(0, 10)))
    await tail.start()
    await tail.run()
    await tail.append('/logs/app.log', 'new\n')
    await tail.append('/logs/app2.log', 'a new file\n')
    await tail.run()
    expect((await tail.taken()).sort()).toEqual(['a new file', 'new'])
  })
})

describe('a full channel', () => {
  test('blocks the source; nothing is lost or repeated', async () => {
    const small = { capacity: 10, transactionCapacity: 10, 'keep-alive': 1 }
    const tail = new Tail({ batchSize: 4 }, [small])
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 100)))
    const lines: string[] = []
    for (let round = 0; lines.length < 100 && round < 500; round++) {
      const processing = tail.source!.process(new AbortController().signal)
      await tail.clock.advanceAndSettle(2000)
      const taking = await takeSome(tail)
      lines.push(...taking)
      let isDone = false
      processing.then(() => {
        isDone = true
      })
      while (!isDone) {
        await tail.clock.advanceAndSettle(2000)
        lines.push(...(await takeSome(tail)))
      }
    }
    expect(lines).toEqual(numbered(0, 100))
  })

  test('next to another one: both get every line exactly once', async () => {
    const small = { capacity: 10, transactionCapacity: 10, 'keep-alive': 0 }
    const tail = new Tail({ batchSize: 4 }, [{}, small])
    await tail.start()
    await tail.append('/logs/app.log', text(numbered(0, 100)))
    const narrow: string[] = []
    for (let round = 0; narrow.length < 100 && round < 200; round++) {
      await tail.run(1)
      narrow.push(...(await takeSome(tail, 1)))
    }
    expect(narrow).toEqual(numbered(0, 100))
    expect(await tail.taken()).toEqual(numbered(0, 100))
  })

  async function takeSome(tail: Tail, channel = 0): Promise<string[]> {
    const transaction = tail.channels[channel]!.transaction()
    transaction.begin()
    const batches = await transaction.take(10)
    await transaction.commit()
    return batches.flatMap((batch) =>
      Array.from({ length: batch.count }, (_, n) => batch.body(n).toString()),
    )
  }
})

test('events have the headers of the group, the path, and the offset of each line', async () => {
  const tail = new Tail({ 'headers.f1.team': 'web', fileHeader: true, byteOffsetHeader: true })
  await tail.start()
  await tail.append('/logs/app.log', 'one\nthree\n')
  await tail.run()
  const transaction = tail.channels[0]!.transaction()
  transaction.begin()
  const [batch] = await transaction.take(10)
  const shared = { team: 'web', file: '/logs/app.log' }
  expect(batch!.headersOf(0)).toEqual({ ...shared, byteoffset: '0' })
  expect(batch!.headersOf(1)).toEqual({ ...shared, byteoffset: '4' })
})
