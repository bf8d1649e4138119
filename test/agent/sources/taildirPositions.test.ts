// Regression tests of positions from real use: in each case lines were lost, repeated or blocked.

import { describe, expect, test } from 'vitest'
import type { PositionEntry } from '../../../agent/sources/taildir/positionFile.ts'
import type { Disk, DiskStat } from '../../../protocol/runtime/disk/disk.ts'
import { type ChannelType, noteIntervalMs, PositionHistory } from './positionHistory.ts'

function numbered(from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, n) => `line ${from + n}`)
}

class Case extends PositionHistory {
  constructor(...channels: ChannelType[]) {
    super({ channels, isSplit: false })
  }

  async write(path: string, lines: readonly string[]): Promise<void> {
    await this.append(path, lines.map((line) => `${line}\n`).join(''))
  }

  async truncate(path: string): Promise<void> {
    const file = await this.disk.open(path, 'write')
    await file.truncate(0)
    await file.close()
  }

  /** Delivers lines until none come any more; returns all of them in order, repeats included. */
  async everything(index = 0): Promise<string[]> {
    for (let quiet = 0; quiet < 3; quiet++) {
      await this.run(1500)
      while (await this.drain(index, 50)) quiet = 0
    }
    return [...this.delivered[index]!.stamps.values()].flat()
  }

  lost(): number[] {
    return this.logger.lines
      .filter(({ level, message }) => level === 'warn' && message.includes('lost'))
      .map(({ fields }) => Number(fields.bytes ?? fields.events))
  }
}

/**
 * A disk on which `path` is on a second device, with the inode number that `like` has on the first
 * one.
 */
function withTwoDevices(disk: Disk, path: string, like: string): Disk {
  const moved = async (stat: DiskStat): Promise<DiskStat> => {
    return { ...stat, device: stat.device + 1, inode: (await disk.stat(like))!.inode }
  }
  return overriding(disk, {
    async stat(at) {
      const stat = await disk.stat(at)
      return stat && at === path ? await moved(stat) : stat
    },
    async open(at, mode) {
      const file = await disk.open(at, mode)
      return at === path ? overriding(file, { stat: async () => moved(await file.stat()) }) : file
    },
  })
}

function overriding<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function started(...channels: ChannelType[]): Promise<Case> {
  const history = new Case(...channels)
  await history.start()
  return history
}

describe.each(['file', 'memory'] as const)('a %s channel', (type) => {
  test('keeps files apart that have the same inode number on two file systems', async () => {
    const history = new Case(type)
    history.sourceDisk = (disk) => withTwoDevices(disk, '/logs/app2.log', '/logs/app.log')
    await history.start()
    await history.write('/logs/app.log', numbered(0, 20))
    await history.write('/logs/app2.log', numbered(20, 50))
    expect((await history.everything()).toSorted()).toEqual(numbered(0, 50).toSorted())
    await history.stop()
    await history.write('/logs/app.log', numbered(50, 60))
    await history.write('/logs/app2.log', numbered(60, 65))
    await history.start()
    await history.everything()
    expect([...history.delivered[0]!.counts].toSorted()).toEqual(
      numbered(0, 65)
        .map((line) => [line, 1])
        .toSorted(),
    )
  })
})

describe('a file channel', () => {
  test('resumes after copytruncate and SIGKILL, although the noted position is ahead', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', numbered(0, 50))
    expect(await history.everything()).toEqual(numbered(0, 50))
    await history.truncate('/logs/app.log')
    await history.write('/logs/app.log', numbered(50, 55))
    await history.run(300)
    history.kill()
    await history.write('/logs/app.log', numbered(55, 90))
    await history.start()
    expect(await history.everything()).toEqual(numbered(0, 90))
  })

  test('that is empty, because its directories were removed, resumes at the noted position', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', numbered(0, 30))
    expect(await history.everything()).toEqual(numbered(0, 30))
    await history.stop()
    await history.disk.remove('/agent/c0')
    await history.write('/logs/app.log', numbered(30, 60))
    await history.start()
    expect(await history.everything()).toEqual(numbered(0, 60))
  })

  test('restored from an older copy does not stall: it resumes at the position of the copy', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', numbered(0, 10))
    expect(await history.everything()).toEqual(numbered(0, 10))
    await history.stop()
    const older = new Map<string, Buffer>()
    for (const name of await history.disk.list('/agent/c0/data')) {
      older.set(name, (await history.disk.readFile(`/agent/c0/data/${name}`))!)
    }
    await history.start()
    await history.write('/logs/app.log', numbered(10, 30))
    await history.everything()
    await history.stop()
    await history.disk.remove('/agent/c0/data')
    await history.disk.makeDirectory('/agent/c0/data')
    for (const [name, bytes] of older) {
      await history.disk.writeFileAtomic(`/agent/c0/data/${name}`, bytes)
    }
    await history.write('/logs/app.log', numbered(30, 40))
    await history.start()
    const after = (await history.everything()).slice(30)
    expect(after).toEqual(numbered(10, 40))
  })

  test('on a full disk refuses puts, and accepts them when there is space, without a restart', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', numbered(0, 20))
    await history.run(1000)
    history.isFull = true
    await history.write('/logs/app.log', numbered(20, 60))
    await history.run(5000)
    expect(history.logger.messages('error')).toEqual(['failed to write the channel log'])
    history.isFull = false
    expect(await history.everything()).toEqual(numbered(0, 60))
    expect(history.logger.messages('info')).toContain('the channel log can be written again')
  })

  test('can be drained while its disk is full, also after a restart', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', numbered(0, 60))
    await history.run(2000)
    history.isFull = true
    history.kill()
    expect(await history.start()).toBe(true)
    let drained = 0
    while (await history.drain(0, 10)) drained += 10
    expect(drained).toBe(60)
    history.kill()
    history.isFull = false
    await history.start()
    expect(await history.everything()).toEqual(numbered(0, 60))
  })
})

describe('a memory channel', () => {
  test('loses nothing over an orderly stop while its sinks cannot deliver', async () => {
    const history = await started('memory')
    await history.write('/logs/app.log', numbered(0, 50))
    await history.run(2000)
    await history.drain(0, 7)
    await history.stop()
    expect(history.logger.lines.at(-1)).toMatchObject({
      level: 'info',
      fields: { channel: 'c0', events: 0, rereadable: 43 },
    })
    await history.start()
    expect(await history.everything()).toEqual(numbered(0, 50))
    expect(history.lost()).toEqual([])
  })

  test('logs how many events it loses when their file was truncated', async () => {
    const history = await started('memory')
    await history.write('/logs/app.log', numbered(0, 50))
    await history.run(2000)
    await history.truncate('/logs/app.log')
    await history.write('/logs/app.log', ['new'])
    await history.run(2000)
    await history.drain(0, 10)
    await history.stop()
    expect(history.lost()).toEqual([40])
    await history.start()
    expect(await history.everything()).toEqual([...numbered(0, 10), 'new'])
  })

  test('after a SIGKILL repeats the lines after the last note, and loses nothing', async () => {
    const history = await started('memory')
    await history.write('/logs/app.log', numbered(0, 20))
    await history.run(500)
    while (await history.drain(0, 50)) {}
    await history.run(noteIntervalMs + 500)
    await history.write('/logs/app.log', numbered(20, 30))
    await history.run(200)
    while (await history.drain(0, 50)) {}
    history.kill()
    await history.start()
    expect(await history.everything()).toEqual([...numbered(0, 30), ...numbered(20, 30)])
  })

  test('gets all lines of a file that got the inode of another while the agent was stopped', async () => {
    const history = await started('memory')
    await history.write('/logs/app.log', numbered(0, 20))
    await history.everything()
    await history.stop()
    const { inode } = (await history.disk.stat('/logs/app.log'))!
    await history.disk.remove('/logs/app.log')
    await history.write('/logs/app.log', numbered(100, 150))
    expect((await history.disk.stat('/logs/app.log'))!.inode).toBe(inode)
    await history.start()
    expect(await history.everything()).toEqual([...numbered(0, 20), ...numbered(100, 150)])
  })

  test('gets all lines of a file despite the stale entry of another with the same inode', async () => {
    const history = await started('memory')
    await history.write('/logs/app.log', numbered(0, 20))
    const { inode } = (await history.disk.stat('/logs/app.log'))!
    const stale: PositionEntry[] = [{ inode, pos: 70, file: '/logs/other.log' }]
    await history.disk.makeDirectory('/agent')
    await history.disk.writeFileAtomic('/agent/positions.json', Buffer.from(JSON.stringify(stale)))
    expect(await history.everything()).toEqual(numbered(0, 20))
  })
})

describe('an inode', () => {
  test('reused by a file of the same size: the file is read, also after a restart', async () => {
    for (const restarts of [false, true]) {
      const history = await started('file')
      await history.write('/logs/app.a.log', ['job 1 done'])
      // Longer than idleTimeout: the file is closed.
      await history.run(5000)
      const { inode } = (await history.disk.stat('/logs/app.a.log'))!
      if (restarts) await history.stop()
      await history.disk.remove('/logs/app.a.log')
      await history.write('/logs/app.b.log', ['job 2 done'])
      expect((await history.disk.stat('/logs/app.b.log'))!.inode).toBe(inode)
      if (restarts) await history.start()
      expect(await history.everything()).toEqual(['job 1 done', 'job 2 done'])
    }
  })
})

test('a file that was replaced before any of it was put is read once, also after a SIGKILL', async () => {
  const history = await started('file')
  await history.write('/logs/app.a.log', numbered(0, 60))
  await history.run(1000)
  await history.write('/logs/app.b.log', ['never put: the channel is full'])
  await history.run(3000)
  await history.truncate('/logs/app.b.log')
  await history.write('/logs/app.b.log', numbered(60, 65))
  // The position file keeps the head of the content that was there before.
  history.onChange = (_, path) => {
    if (path.startsWith('/agent/positions')) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  await history.drain(0, 50)
  await history.run(6000)
  history.kill()
  history.onChange = () => {}
  await history.start()
  expect(await history.everything()).toEqual(numbered(0, 65))
})

describe('rotation', () => {
  test('out of the pattern right after the first scan, with a SIGKILL, loses no tail', async () => {
    const history = await started('memory')
    await history.write('/logs/app.log', numbered(0, 10))
    await history.run(50)
    history.kill()
    await history.write('/logs/app.log', numbered(10, 30))
    await history.disk.rename('/logs/app.log', '/logs/old')
    await history.start()
    expect(await history.everything()).toEqual(numbered(0, 30))
  })

  test('by copytruncate with a copy that matches reads every line exactly once', async () => {
    const history = await started('file', 'memory')
    await history.write('/logs/app.log', numbered(0, 20))
    await history.run(1000)
    const content = (await history.disk.readFile('/logs/app.log'))!
    // The copy is written in pieces, and lines are appended until the file is truncated.
    await history.append('/logs/app.copy.log', content.subarray(0, 50).toString())
    await history.run(300)
    await history.append('/logs/app.copy.log', content.subarray(50).toString())
    await history.write('/logs/app.log', ['late'])
    await history.write('/logs/app.copy.log', ['late'])
    await history.truncate('/logs/app.log')
    await history.write('/logs/app.log', numbered(20, 25))
    for (const index of [0, 1]) {
      expect((await history.everything(index)).sort()).toEqual(['late', ...numbered(0, 25)].sort())
    }
  })

  test('by copytruncate while one channel is full loses none of the copy over a stop', async () => {
    const history = await started('file', 'memory')
    await history.write('/logs/app.a.log', numbered(0, 60))
    await history.run(1000)
    await history.drain(1, 60)
    // Only the memory channel has room for these; the file channel has to get them from the copy.
    await history.write('/logs/app.log', numbered(60, 70))
    await history.run(1500)
    const content = (await history.disk.readFile('/logs/app.log'))!
    await history.append('/logs/app.copy.log', content.toString())
    await history.run(300)
    await history.truncate('/logs/app.log')
    await history.write('/logs/app.log', numbered(70, 75))
    await history.run(3000)
    await history.stop()
    await history.start()
    for (const index of [0, 1]) {
      expect((await history.everything(index)).sort()).toEqual(numbered(0, 75).sort())
    }
  })

  test('by copytruncate on a full disk is logged once, when its channel has the position', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', numbered(0, 20))
    await history.run(1000)
    const content = (await history.disk.readFile('/logs/app.log'))!
    const copies = () => history.logger.messages('info').filter((text) => text.includes('a copy'))
    history.isFull = true
    await history.append('/logs/app.copy.log', content.toString())
    await history.truncate('/logs/app.log')
    await history.write('/logs/app.log', numbered(20, 25))
    await history.run(5000)
    expect(copies()).toEqual([])
    history.isFull = false
    expect((await history.everything()).sort()).toEqual(numbered(0, 25).sort())
    expect(copies()).toHaveLength(1)
  })

  test('of an unknown file does not put a part of a line', async () => {
    const history = await started('file')
    await history.write('/logs/app.log', ['one'])
    await history.run(10_000)
    // The file was idle for longer than idleTimeout, but the incomplete line is new: it must wait
    // for its end.
    await history.append('/logs/app.log', 'be')
    await history.run(500)
    await history.append('/logs/app.log', 'gun\n')
    expect(await history.everything()).toEqual(['one', 'begun'])
  })
})

test('a position that Flume noted later than this agent is used', async () => {
  const history = await started('memory')
  await history.write('/logs/app.log', numbered(0, 20))
  await history.everything()
  await history.stop()
  const content = String(await history.disk.readFile('/agent/positions.json'))
  const [entry] = JSON.parse(content) as PositionEntry[]
  await history.write('/logs/app.log', numbered(20, 30))
  const pos = (await history.disk.stat('/logs/app.log'))!.sizeBytes
  const moved = Buffer.from(JSON.stringify([{ ...entry, pos }]))
  await history.disk.writeFileAtomic('/agent/positions.json', moved)
  await history.write('/logs/app.log', numbered(30, 40))
  await history.start()
  expect(await history.everything()).toEqual([...numbered(0, 20), ...numbered(30, 40)])
})
