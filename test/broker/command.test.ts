// `millrace broker` as a process: what it prints, how it stops, and how mistakes end.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const command = join(import.meta.dirname, '../../broker/command.ts')

interface BrokerProcess {
  readonly child: ChildProcess
  readonly firstLine: Promise<string>
  readonly ended: Promise<{ code: number | null; output: string; complaints: string }>
}

describe('millrace broker', () => {
  let directory: string
  const running: BrokerProcess[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-command-'))
  })

  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  function run(args: object): BrokerProcess {
    const script = `import { brokerCommand } from ${JSON.stringify(command)}
      await brokerCommand(${JSON.stringify(args)})`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    let output = ''
    let complaints = ''
    child.stderr.on('data', (chunk) => {
      complaints += chunk
    })
    const firstLine = new Promise<string>((resolve) => {
      child.stdout.on('data', (chunk) => {
        output += chunk
        if (output.includes('\n')) resolve(output.split('\n')[0]!)
      })
    })
    const ended = new Promise<Awaited<BrokerProcess['ended']>>((resolve) =>
      child.on('close', (code) => resolve({ code, output, complaints })),
    )
    const started = { child, firstLine, ended }
    running.push(started)
    return started
  }

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'says where it listens, and stops at %s',
    async (signal) => {
      const data = join(directory, signal)
      const broker = run({ port: 0, data })
      const listening = await broker.firstLine
      expect(listening).toMatch(/^millrace broker listening on 127\.0\.0\.1:\d+, data in /)
      expect(listening).toContain(data)
      broker.child.kill(signal)
      expect(await broker.ended).toMatchObject({ code: 0, complaints: '' })
    },
  )

  it('says that its port or its data folder is taken', async () => {
    const data = join(directory, 'taken')
    const first = run({ port: 0, data })
    const port = Number(/:(\d+),/.exec(await first.firstLine)![1])
    const samePort = await run({ port, data: join(directory, 'other') }).ended
    expect(samePort).toMatchObject({ code: 1, output: '' })
    expect(samePort.complaints).toMatch(new RegExp(`^millrace broker: .*${port}.* in use.*\n$`))
    const sameData = await run({ port: 0, data }).ended
    expect(sameData).toMatchObject({ code: 1, output: '' })
    expect(sameData.complaints).toMatch(
      /^millrace broker: .*taken is in use by another process.*\n$/,
    )
  })

  it('names file, line and key of a broken configuration', async () => {
    const config = join(directory, 'server.properties')
    await writeFile(config, 'node.id=1\nnum.partitions=some\n')
    const broken = await run({ config }).ended
    expect(broken).toMatchObject({ code: 1, output: '' })
    expect(broken.complaints).toMatch(/server\.properties:2: num\.partitions is "some"/)
    const missing = await run({ config: join(directory, 'nowhere') }).ended
    expect(missing).toMatchObject({ code: 1, output: '' })
    expect(missing.complaints).toMatch(
      /^millrace broker: the config file .*nowhere is not there\n$/,
    )
  })

  it('ends when its data folder is gone, and says so', async () => {
    const data = join(directory, 'mounted')
    const broker = run({ port: 0, data })
    await broker.firstLine
    await rename(data, join(directory, 'unmounted'))
    const { code, complaints } = await broker.ended
    expect(code).toBe(1)
    expect(complaints).toMatch(/^millrace broker: .*mounted cannot be used .*$/m)
  }, 30_000)
})
