// The npm package: its files, and that each of its programs runs on every supported Node, for a
// user without write access to it.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { OrderLines } from '../../engine/jobs/orderLines.ts'
import { connect } from '../../protocol/client/client.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { otherNodes } from '../tools.ts'
import { Installation, printed, terminated } from './installation.ts'

const root = join(import.meta.dirname, '../..')
const version = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8')).version
const mebibyte = 1024 * 1024

let installed: Installation
beforeAll(async () => {
  // Builds, packs and installs the package twice, which takes minutes on a busy machine.
  installed = await Installation.create()
}, 900_000)
afterAll(() => installed?.remove(), 300_000)

describe('the tarball', () => {
  test('has programs, declarations, maps with their sources, and documents, but no tests', () => {
    const { files, packedBytes, unpackedBytes } = installed.packed
    const paths = files.map(({ path }) => path)
    const kind = (path: string) =>
      /^src\/(?:protocol|broker|agent|engine|demo)\/.*\.ts$|^src\/\w+\.ts$/.test(path)
        ? 'source'
        : /\.(?:js|d\.ts)(?:\.map)?$|\.(?:cjs|d\.cts)$/.test(path)
          ? 'program'
          : path
    const others = new Set(paths.map(kind))
    const documents = ['LICENSE', 'NOTICE', 'README.md', 'package.json', 'agent/orders.conf']
    for (const path of ['source', 'program', ...documents]) others.delete(path)
    const unexpected = [...others].filter(
      (path) => !/^docs\/|^broker\/admin\/page\/[\w.]+$/.test(path),
    )
    expect(unexpected).toEqual([])
    expect(paths).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'millrace.js', 'broker/admin/page/page.css']),
    )
    expect(paths.filter((path) => /\.test\.|(?:^|\/)(?:test|bench)\//.test(path))).toEqual([])
    // The sizes were 3.1 and 12.3 MiB when this test was written.
    expect(packedBytes).toBeLessThan(4 * mebibyte)
    expect(unpackedBytes).toBeLessThan(16 * mebibyte)
    expect(files.length).toBeLessThan(5_000)
  })

  test('has a package.json with the fields that users need, and none for the checkout', () => {
    const manifest = JSON.parse(fs.readFileSync(join(installed.built, 'package.json'), 'utf8'))
    const { dependencies } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'))
    expect(manifest).toMatchObject({
      name: 'millrace',
      version,
      license: 'Apache-2.0',
      type: 'module',
      bin: { millrace: './millrace.js' },
      dependencies,
    })
    for (const key of ['private', 'scripts', 'devDependencies']) {
      expect(manifest).not.toHaveProperty(key)
    }
    for (const [entry, target] of Object.entries(manifest.exports)) {
      if (entry === './package.json') continue
      const paths = JSON.stringify(target)
        .match(/"\.[^"]+"/g)!
        .map((path) => JSON.parse(path))
      expect(paths.length).toBeGreaterThanOrEqual(2)
      for (const path of paths) expect(fs.existsSync(join(installed.built, path)), path).toBe(true)
    }
  })

  test('has maps from programs and declarations to their sources', () => {
    for (const path of ['broker/broker.js.map', 'broker/embeddedBroker.d.ts.map']) {
      const map = join(installed.built, path)
      const [source] = JSON.parse(fs.readFileSync(map, 'utf8')).sources
      const file = fs.readFileSync(join(map, '..', source), 'utf8')
      expect(file).toBe(
        fs.readFileSync(join(root, path.replace(/(?:\.js|\.d\.ts)\.map$/, '.ts')), 'utf8'),
      )
    }
  })

  test('passes publint and @arethetypeswrong/cli', () => {
    const tool = (file: string, ...words: string[]) => {
      const options = { cwd: installed.directory, encoding: 'utf8' } as const
      const path = join(root, 'node_modules', file)
      const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...words], options)
      expect(status, stdout + stderr).toBe(0)
      return stdout
    }
    const published = tool('publint/src/cli.js', installed.built, '--strict')
    expect(published).toContain('All good!')
    tool(
      '@arethetypeswrong/cli/dist/index.js',
      installed.packed.tarball,
      // All but one of the entries are ES modules, which Node 22 can require.
      '--profile=node16',
      '--ignore-rules=cjs-resolves-to-esm',
      '--no-emoji',
    )
  }, 240_000)
})

describe.each([process.execPath, ...otherNodes()])('with %s', (node) => {
  afterEach(() => {
    for (const name of fs.readdirSync(installed.work)) {
      fs.rmSync(join(installed.work, name), { recursive: true, force: true })
    }
  })

  test('the command of npm install --global prints its version and its help', async () => {
    expect(await installed.run(node, [installed.globalBin, '--version'])).toEqual({
      code: 0,
      stdout: `millrace ${version}\n`,
      stderr: '',
    })
    const help = await installed.run(node, [installed.globalBin, '--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/^Usage: millrace/)
    const nothing = await installed.run(node, [installed.globalBin])
    expect(nothing).toMatchObject({ code: 2, stdout: '' })
    expect(nothing.stderr).toMatch(/^Usage: millrace/)
    const npx = ['npx', '--no-install', 'millrace', '--version']
    const local = await installed.run(node, npx, { cwd: installed.project })
    expect(local).toMatchObject({ code: 0, stdout: `millrace ${version}\n` })
  })

  test('the demo counts a file', async () => {
    const orders = new OrderLines(seededRandom(7))
    const { bytes } = await orders.next(2_000)
    const input = join(installed.work, 'orders.csv')
    fs.writeFileSync(input, Buffer.concat([OrderLines.header, bytes]))
    const words = ['demo', '--input', input, '--once', '--json']
    const { code, stdout, stderr } = await installed.run(node, [installed.projectBin, ...words])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ lines: 2_001 })
    expect(fs.existsSync(join(installed.home, '.cache/millrace/compile'))).toBe(true)
  }, 240_000)

  test('broker, agent and a job in TypeScript work together and stop at SIGTERM', async () => {
    const { work, globalBin, projectBin } = installed
    const brokerWords = ['broker', '--port', '0', '--console-port', '0', '--data', 'data']
    const broker = installed.start(node, [globalBin, ...brokerWords])
    const [, address, url] = await printed(broker, /listening on (\S+),.* console at (\S+)\//)
    await using client = connect(address!)
    await client.admin.createTopics([{ name: 'lines', partitions: 2 }])
    fs.writeFileSync(join(work, 'words.ts'), wordsJob)
    fs.writeFileSync(join(work, 'split.ts'), splitModule)
    // The global copy runs the job, whose project has its own copy.
    const submit = ['job', 'submit', 'words.ts', '--bootstrap', address!, '--directory', 'job']
    const environment = { BOOTSTRAP: address! }
    const job = installed.start(node, [globalBin, ...submit], { environment })
    let log = ''
    job.stderr!.on('data', (chunk: Buffer) => {
      log += chunk
    })
    const [, jobUrl] = await printed(job, /job words running at (http:[^\s,]+)/)
    fs.writeFileSync(join(work, 'access.log'), 'to be\nor not\nto be\n')
    fs.writeFileSync(join(work, 'flume.conf'), flumeConf(address!, work))
    const agentWords = ['agent', '--name', 'a1', '--conf-file', 'flume.conf']
    const agent = installed.start(node, [projectBin, ...agentWords])
    const [, agentUrl] = await printed(agent, /agent a1 started.* health at (http:[^\s,]+)/)
    // Everything that is loaded only on request.
    const page = ['/', '/page/page.js', '/vendor/preact/preact.mjs', '/vendor/uplot/uPlot.esm.js']
    const api = ['/api', '/openapi.json', '/api/v1/topics', '/v3/clusters']
    for (const path of [...page, ...api]) expect(await statusOf(url + path), path).toBe(200)
    for (const program of [url, jobUrl, agentUrl]) {
      for (const path of ['/metrics', '/healthy', '/version']) {
        expect(await statusOf(program + path), `${program}${path}`).toBe(200)
      }
    }
    const adminWords = ['admin', '--bootstrap', address!, '--port', '0']
    const admin = installed.start(node, [projectBin, ...adminWords])
    const [, adminUrl] = await printed(admin, /console at (\S+)\//)
    for (const path of ['/', '/v3/clusters'])
      expect(await statusOf(adminUrl + path), path).toBe(200)
    expect(await terminated(admin)).toBe(0)
    const consumer = client.consumer({
      groupId: 'test',
      topics: ['totals'],
      autoOffsetReset: 'earliest',
    })
    const totals = new Map<string, number>()
    for await (const { key, value } of consumer) {
      totals.set(String(key), Number(value))
      if (totals.get('be') === 2 && totals.get('to') === 2 && totals.size === 4) break
    }
    expect([await terminated(agent), await terminated(job)]).toEqual([0, 0])
    expect(log).not.toContain('ExperimentalWarning')
    await client.close()
    expect(await terminated(broker)).toBe(0)
  }, 240_000)

  test('the types of a job are checked', async () => {
    fs.writeFileSync(
      join(installed.work, 'wrong.ts'),
      wordsJob.replace('1] as const', 'true] as const'),
    )
    fs.writeFileSync(join(installed.work, 'split.ts'), splitModule)
    const words = ['job', 'submit', 'wrong.ts', '--bootstrap', '127.0.0.1:1']
    const { code, stderr } = await installed.run(node, [installed.projectBin, ...words])
    expect(code).toBe(1)
    expect(stderr).toMatch(/the job has type errors: wrong\.ts\(\d+,\d+\): error TS/)
  }, 240_000)

  test('a program can import the entries', async () => {
    fs.writeFileSync(join(installed.work, 'program.mjs'), program)
    const { code, stdout, stderr } = await installed.run(node, ['node', 'program.mjs'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe('read hello of lines-0\n')
  }, 60_000)

  test.each([
    ['mjs', "import { startBroker } from 'millrace/testing'"],
    ['cjs', "const { startBroker } = require('millrace/testing')"],
  ])(
    'a broker in tests: %s',
    async (extension, load) => {
      const file = `broker.${extension}`
      fs.writeFileSync(join(installed.work, file), `${load}\n${testBrokerProgram}`)
      const { code, stdout, stderr } = await installed.run(node, ['node', file])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toBe('apple\n')
    },
    60_000,
  )
})

test('the types of every entry pass a strict compiler without skipLibCheck', () => {
  const manifest = JSON.parse(fs.readFileSync(join(installed.built, 'package.json'), 'utf8'))
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
  const lines = entries.map(
    (entry, at) => `import * as e${at} from 'millrace${entry.slice(1)}'\nvoid e${at}`,
  )
  fs.writeFileSync(join(installed.work, 'all.ts'), lines.join('\n'))
  const commonJs = "import { startBroker, type TestBroker } from 'millrace/testing'"
  const use = 'export const broker: Promise<TestBroker> = startBroker({ topics: ["orders"] })'
  fs.writeFileSync(join(installed.work, 'testing.cts'), `${commonJs}\n${use}\n`)
  const options = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
  ]
  const target = ['--target', 'es2024', '--module', 'nodenext', '--types', 'node', '--ignoreConfig']
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join(installed.project, 'node_modules/typescript/bin/tsc'),
      ...options,
      ...target,
      'all.ts',
      'testing.cts',
    ],
    { cwd: installed.work, encoding: 'utf8' },
  )
  expect(status, stdout).toBe(0)
}, 240_000)

test('the error on a Node that is too old names the required versions and the path of this Node', async () => {
  const old =
    "Object.defineProperty(process,'versions',{value:{...process.versions,node:'22.17.1'}})"
  const words = ['--import', `data:text/javascript,${old}`]
  const file = join(installed.project, 'node_modules/millrace/millrace.js')
  const { code, stdout, stderr } = await installed.run(process.execPath, ['node', ...words, file])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(
    /^millrace: Node 22\.18 or a newer 22, or 24 or newer is required, but this is 22\.17\.1: install a newer Node than \/\S+\n$/,
  )
})

test('a cache directory that cannot be written is ignored', async () => {
  const words = [installed.projectBin, '--version']
  for (const directory of [installed.global, join(installed.built, 'LICENSE'), '/proc/none']) {
    const environment = { XDG_CACHE_HOME: directory }
    expect(await installed.run(process.execPath, words, { environment }), directory).toEqual({
      code: 0,
      stdout: `millrace ${version}\n`,
      stderr: '',
    })
  }
})

test('a job is refused if its project has another version of millrace, or none', async () => {
  const bare = join(installed.home, 'bare')
  fs.mkdirSync(bare)
  fs.writeFileSync(join(bare, 'words.mjs'), javascriptJob)
  const submit = ['job', 'submit', 'words.mjs', '--bootstrap', '127.0.0.1:1', '--directory']
  const run = (directory: string) =>
    installed.run(process.execPath, [installed.globalBin, ...submit, directory], {
      cwd: bare,
      environment: { TMPDIR: installed.home },
    })
  const none = await run(join(installed.work, 'none'))
  expect(none.code).toBe(1)
  expect(none.stderr).toContain(`run 'npm install millrace@${version}' there`)
  const other = join(bare, 'node_modules/millrace')
  fs.mkdirSync(other, { recursive: true })
  const exports = { './engine': './engine.js' }
  const manifest = { name: 'millrace', version: '9.9.9', type: 'module', exports }
  fs.writeFileSync(join(other, 'package.json'), JSON.stringify(manifest))
  fs.writeFileSync(join(other, 'engine.js'), 'export {}\n')
  const another = await run(join(installed.work, 'another'))
  expect(another.code).toBe(1)
  expect(another.stderr).toContain(`imports millrace 9.9.9 of ${join(other, 'package.json')}`)
  expect(another.stderr).toContain("run it with 'npx millrace' in the job's project")
}, 240_000)

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  await response.arrayBuffer()
  return response.status
}

const wordsJob = `
import { add, job, sum, text } from 'millrace/engine'
import { connect } from 'millrace/client'
import { split } from './split.ts'

export default job('words', (stream) => {
  stream
    .fromTopic('lines', text())
    .flatMap(({ line }) => split(line))
    .map((word) => [word, 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'totals' })
    .foreachRDD(async (rdd) => {
      const client = connect(process.env.BOOTSTRAP!)
      const producer = client.producer()
      for (const [key, value] of await rdd.collect()) {
        await producer.send('totals', { key: String(key), value: String(value) })
      }
      await client.close()
    })
})
`

const splitModule = `
export function split(line: string): string[] {
  return line.split(' ')
}
`

const javascriptJob = `
import { job, text } from 'millrace/engine'

export default job('words', (stream) => {
  stream.fromTopic('lines', text()).foreachRDD(() => {})
})
`

const program = `
import { startAgent } from 'millrace/agent'
import { startBroker } from 'millrace/broker'
import { connect } from 'millrace/client'
import { job, text } from 'millrace/engine'
import { testJob } from 'millrace/engine/testing'
import { startBroker as startTestBroker } from 'millrace/testing'

const inMemory = await startTestBroker({ topics: ['orders'] })
await inMemory.produce('orders', ['a'])
await inMemory.close()
const test = await testJob(job('lines', (stream) => void stream.fromTopic('lines', text()).foreachRDD(() => {})))
await test.feed('lines', ['one'])
await test.advance(1000)
await test.stop()

const config = { 'group.initial.rebalance.delay.ms': 0 }
const broker = await startBroker({ directory: 'embedded', port: 0, config })
const client = connect(broker.bootstrap)
const agent = await startAgent({
  name: 'a1',
  logLevel: 'error',
  configuration: [
    'a1.sources = s', 'a1.channels = c', 'a1.sinks = k',
    'a1.sources.s.type = exec', 'a1.sources.s.command = echo hello', 'a1.sources.s.channels = c',
    'a1.channels.c.type = memory',
    'a1.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink',
    'a1.sinks.k.kafka.bootstrap.servers = ' + broker.bootstrap,
    'a1.sinks.k.kafka.topic = lines', 'a1.sinks.k.channel = c',
  ].join('\\n'),
})
const consumer = client.consumer({ groupId: 'g', topics: ['lines'], autoOffsetReset: 'earliest' })
for await (const { topic, partition, value } of consumer) {
  console.log(\`read \${value} of \${topic}-\${partition}\`)
  break
}
await agent.stop()
await client.close()
await broker.close()
`

const testBrokerProgram = `
async function main() {
  const broker = await startBroker({ topics: ['orders'] })
  await broker.produce('orders', ['apple'])
  for (const { value } of await broker.records('orders')) console.log(value)
  await broker.close()
}
main()
`

function flumeConf(bootstrap: string, directory: string): string {
  return `
a1.sources = s
a1.channels = c
a1.sinks = k
a1.sources.s.type = TAILDIR
a1.sources.s.positionFile = ${directory}/positions.json
a1.sources.s.filegroups = g
a1.sources.s.filegroups.g = ${directory}/access.log
a1.sources.s.channels = c
a1.channels.c.type = file
a1.channels.c.checkpointDir = ${directory}/channel/checkpoint
a1.channels.c.dataDirs = ${directory}/channel/data
a1.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k.kafka.bootstrap.servers = ${bootstrap}
a1.sinks.k.kafka.topic = lines
a1.sinks.k.channel = c
`
}
