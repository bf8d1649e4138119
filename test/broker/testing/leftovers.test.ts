// A closed broker leaves nothing behind in its process. Tested with programs in their own
// processes, which must exit without being stopped.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const testing = pathToFileURL(join(root, 'broker/testing/testing.ts')).href
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-leftovers-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

/** Runs a program in an empty directory; fails if the program does not exit. */
async function run(name: string, code: string): Promise<unknown> {
  const program = join(directory, `${name}.mjs`)
  const work = await mkdtemp(join(directory, 'work-'))
  await writeFile(program, `import { startBroker } from '${testing}'\n${code}`)
  const printed = await new Promise<string>((resolve, reject) => {
    const options = { cwd: work, timeout: 50_000 }
    execFile(process.execPath, [program], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`))
      else resolve(stdout)
    })
  })
  expect(await readdir(work)).toEqual([])
  return JSON.parse(printed)
}

const socket = `
  import net from 'node:net'
  const connect = (broker) => new Promise((resolve) => {
    const socket = net.connect(broker.port, broker.host, () => resolve(socket))
    socket.on('error', () => {})
  })
`
// Node closes some resources of its own a turn later, such as the file of a module.
const report = `
  await new Promise((resolve) => setImmediate(resolve))
  const left = process.getActiveResourcesInfo().filter((each) => !/Wrap|Pipe|TTY|Immediate/.test(each))
  console.log(JSON.stringify(left))
`

it('a broker that was used leaves no timer, socket or file', async () => {
  const left = await run(
    'used',
    `{
      await using broker = await startBroker({ topics: ['orders'] })
      await broker.produce('orders', ['a'])
      await broker.waitForRecords('orders', 1)
      broker.faults.delay('Fetch', Infinity)
      await broker.restart()
    }
    ${report}`,
  )
  expect(left).toEqual([])
})

it('twenty concurrent brokers leave nothing', async () => {
  const left = await run(
    'twenty',
    `const brokers = await Promise.all(Array.from({ length: 20 }, () => startBroker({ topics: ['t'] })))
    await Promise.all(brokers.map((broker) => broker.close()))
    ${report}`,
  )
  expect(left).toEqual([])
})

it('a broker with connected clients closes their connections', async () => {
  const left = await run(
    'connected',
    `${socket}
    const broker = await startBroker()
    const open = await connect(broker)
    const closed = new Promise((resolve) => open.once('close', resolve))
    open.resume()
    await broker.close()
    await closed
    ${report}`,
  )
  expect(left).toEqual([])
})

it('a broker in a directory releases its lock for the next one', async () => {
  const left = await run(
    'folder',
    `import { rm } from 'node:fs/promises'
    for (let times = 0; times < 2; times++) {
      await using broker = await startBroker({ topics: ['orders'], directory: 'data' })
      await broker.produce('orders', ['a'])
      if ((await broker.records('orders')).length !== times + 1) throw new Error('lost')
    }
    await rm('data', { recursive: true })
    ${report}`,
  )
  expect(left).toEqual([])
})

it('a broker that failed to start leaves nothing', async () => {
  const left = await run(
    'refused',
    `const first = await startBroker()
    for (const options of [{ port: first.port }, { topics: ['no spaces'] }, { prt: 1 }]) {
      await startBroker(options).then(() => process.exit(1), () => {})
    }
    await first.close()
    ${report}`,
  )
  expect(left).toEqual([])
})
