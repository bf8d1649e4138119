// The version of a job's code depends on every file that the job imports, wherever it is stored,
// and on nothing else. One submission has one version in all executors, even if the files change.

import { symlink } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadJob } from '../../../engine/jobModule.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { counted, JobBroker } from '../jobs/jobBroker.ts'
import { JobFolder } from './jobFolder.ts'

const jobFiles = {
  'job.ts': `import { job, text } from 'millrace/engine'
import settings from './settings.json' with { type: 'json' }
import { label } from './lib/label.ts'
import legacy from './legacy.cjs'
import { parse } from 'parser'
import { Type } from 'typebox'
const { late } = await import('./late.ts')
export const used = [settings, label, legacy, parse, Type, late]
export default job('versioned', (stream) => stream.fromTopic('words', text()).count().view('all'))
`,
  'settings.json': '{"limit":1}',
  'lib/label.ts': "export { suffix as label } from './suffix.ts'\n",
  'lib/suffix.ts': "export const suffix: string = '!'\n",
  'legacy.cjs': "module.exports = require('./legacyPart.cjs')\n",
  'legacyPart.cjs': 'module.exports = 5\n',
  'late.ts': 'export const late: number = 2\n',
  'unused.ts': 'export const unused = 0\n',
  'node_modules/parser/package.json': '{"name":"parser","version":"1.0.0","main":"main.js"}',
  'node_modules/parser/main.js': "exports.parse = require('./deep/part.js')\n",
  'node_modules/parser/deep/part.js': 'module.exports = 7\n',
  'node_modules/typebox/package.json':
    '{"name":"typebox","version":"9.9.9","type":"module","exports":"./main.js"}',
  'node_modules/typebox/main.js': 'export const Type = 1\n',
}
const folders: JobFolder[] = []

async function folderOf(files: Readonly<Record<string, string>> = jobFiles): Promise<JobFolder> {
  const folder = await JobFolder.create(files)
  folders.push(folder)
  return folder
}

afterEach(async () => {
  for (const folder of folders.splice(0)) await folder.remove()
})

async function versionOf(files?: Readonly<Record<string, string>>): Promise<string> {
  return (await loadJob(nodeDisk, (await folderOf(files)).file('job.ts'))).code.version
}

describe('the version', () => {
  test('depends on the files and not on their location', async () => {
    const version = await versionOf()
    expect(version).toMatch(/^[0-9a-f]{64}$/)
    expect(await versionOf()).toBe(version)
  })

  test('includes both of two versions of a package', async () => {
    const files = {
      'job.ts': `import { job, text } from 'millrace/engine'
import outer from 'part'
import inner from 'parser'
export const used = [outer, inner]
export default job('versioned', (stream) => stream.fromTopic('words', text()).count().view('all'))
`,
      'node_modules/part/main.js': 'module.exports = 1\n',
      'node_modules/part/package.json': '{"name":"part","main":"main.js"}',
      'node_modules/parser/package.json': '{"name":"parser","main":"main.js"}',
      'node_modules/parser/main.js': "module.exports = require('part')\n",
      'node_modules/parser/node_modules/part/main.js': 'module.exports = 2\n',
      'node_modules/parser/node_modules/part/package.json': '{"name":"part","main":"main.js"}',
    }
    const version = await versionOf(files)
    for (const file of Object.keys(files).filter((name) => name.endsWith('part/main.js'))) {
      expect(await versionOf({ ...files, [file]: 'module.exports = 3\n' })).not.toBe(version)
    }
  })

  test.each(Object.keys(jobFiles).filter((file) => !file.endsWith('package.json')))(
    'includes %s if the job imports the file',
    async (file) => {
      const content = jobFiles[file as keyof typeof jobFiles]
      const changed = { ...jobFiles, [file]: `${content}\n` }
      const isSame = (await versionOf(changed)) === (await versionOf())
      expect(isSame).toBe(file === 'unused.ts')
    },
  )

  test("includes none of Millrace's own files", async () => {
    const { code } = await loadJob(nodeDisk, (await folderOf()).file('job.ts'))
    const names = [...code.files.keys()].map((url) => url.slice(url.indexOf('millrace-code-') + 21))
    expect(names.sort()).toEqual(
      Object.keys(jobFiles)
        .filter((file) => file !== 'unused.ts' && !file.endsWith('package.json'))
        .sort(),
    )
  })

  test('represents a package that Millrace also uses by its package.json, whether the package was loaded before or not', async () => {
    const text = "import { Type } from 'typebox'\nexport default Type && 1\n"
    const job = `import './schema.ts'\nimport { job, text } from 'millrace/engine'\nexport default job('typed', (stream) => stream.fromTopic('words', text()).count().view('all'))\n`
    const inProject = await JobFolder.create({ 'job.ts': job, 'schema.ts': text })
    folders.push(inProject)
    await symlink(
      new URL('../../../node_modules/typebox', import.meta.url),
      inProject.file('node_modules/typebox'),
    )
    const { code } = await loadJob(nodeDisk, inProject.file('job.ts'))
    expect(code.files.size).toBe(2)
  })

  test('a job whose files changed after this process imported them is refused', async () => {
    const folder = await folderOf()
    const { code } = await loadJob(nodeDisk, folder.file('job.ts'))
    expect((await loadJob(nodeDisk, folder.file('job.ts'))).code.version).toBe(code.version)
    await folder.write('lib/suffix.ts', "export const suffix: string = '?'\n")
    await expect(loadJob(nodeDisk, folder.file('job.ts'))).rejects.toMatchObject({
      code: 'JOB_MODULE_CHANGED',
      message: expect.stringMatching(
        /lib\/suffix\.ts has changed since this process .*new process/,
      ),
    })
    await folder.write('lib/suffix.ts', jobFiles['lib/suffix.ts'])
    expect((await loadJob(nodeDisk, folder.file('job.ts'))).code.version).toBe(code.version)
  })
})

describe('one submission runs one version of the code', () => {
  let broker: JobBroker

  beforeEach(async () => {
    broker = await JobBroker.start('words')
    await broker.createTopic(2)
  })

  afterEach(() => broker.stop())

  const files = {
    'job.ts': `import { existsSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { add, job, sum, text } from 'millrace/engine'
import { label } from './lib/label.ts'

export default job('labelled', (stream) => {
  stream
    .fromTopic('words', text())
    .map(({ line }) => {
      const [word, file] = line.split(' ')
      if (word === 'poison' && file && !isMainThread && !existsSync(file)) {
        writeFileSync(file, '')
        process.exit(3)
      }
      return [label(word!), 1] as const
    })
    .reduceByKey(sum)
    .updateStateByKey(add)
    .view('words')
})
`,
    'lib/label.ts': "export { old as label } from './old.ts'\n",
    'lib/old.ts': 'export function old(word: string): string {\n  return "old ".concat(word)\n}\n',
  }

  test.each([1, 2])('in a replacement executor, with %d executors', async (executors) => {
    const folder = await folderOf(files)
    await broker.produce(['a', 'b'])
    const job = await broker.submit(folder.file('job.ts'), { executors })
    await counted(job, 2)
    // One file is changed, one is deleted, and one is added that would be resolved instead.
    await folder.replace('job.ts', 'label(word!)', "'new'")
    await folder.write('lib/label.ts', 'export const label = () => "new"\n')
    await folder.remove('lib/old.ts')
    await broker.produce([`poison ${broker.directory}/poisoned`, 'a', 'b'])
    await counted(job, 5)
    // Each executor has read part of the records at this point.
    await broker.produce(['a', 'b', 'a', 'b', 'a', 'b'])
    const { views } = await counted(job, 11)
    expect(views[0]!.rows).toEqual([
      ['old a', 5],
      ['old b', 5],
      ['old poison', 1],
    ])
  })

  test('with all of its imports, when none of the files exist any longer', async () => {
    const folder = await folderOf({
      ...jobFiles,
      'job.ts': files['job.ts'].replace('./lib/label.ts', './every.ts'),
      'every.ts': `import settings from './settings.json' with { type: 'json' }
import { label as suffix } from './lib/label.ts'
import legacy from './legacy.cjs'
import { parse } from 'parser'
import { Type } from 'typebox'
const { late } = await import('./late.ts')
export function label(word: string): string {
  return [word, settings.limit, suffix, legacy, parse, Type, late].join(' ')
}
`,
    })
    await broker.produce(['a'])
    const job = await broker.submit(folder.file('job.ts'), { executors: 1 })
    await counted(job, 1)
    for (const file of ['job.ts', 'every.ts', 'settings.json', 'lib', 'legacy.cjs', 'late.ts']) {
      await folder.remove(file)
    }
    await folder.remove('legacyPart.cjs')
    await folder.remove('node_modules/parser')
    await broker.produce([`poison ${broker.directory}/poisoned`, 'a'])
    const { views } = await counted(job, 3)
    expect(views[0]!.rows).toEqual([
      ['a 1 ! 5 7 1 2', 2],
      ['poison 1 ! 5 7 1 2', 1],
    ])
  })

  test('also without executors', async () => {
    const folder = await folderOf(files)
    await broker.produce(['a'])
    const job = await broker.submit(folder.file('job.ts'), { executors: 0 })
    await counted(job, 1)
    await folder.write('lib/label.ts', 'export const label = () => "new"\n')
    await broker.produce(['a'])
    expect((await counted(job, 2)).views[0]!.rows).toEqual([['old a', 2]])
    await job.stop()
    await expect(broker.submit(folder.file('job.ts'), { executors: 0 })).rejects.toMatchObject({
      code: 'JOB_MODULE_CHANGED',
    })
  })

  test('an error in served code names the line in the source file', async () => {
    const folder = await folderOf({
      ...files,
      'lib/old.ts':
        'interface Word {\n  text: string\n}\nexport function old(text: string): string {\n  const word: Word = { text }\n  throw new TypeError(word.text)\n}\n',
    })
    await broker.produce(['a'])
    const job = await broker.submit(folder.file('job.ts'))
    await expect(job.finished).rejects.toThrow(/TypeError: a \(\/.*\/lib\/old\.ts:6:9\)/)
  })
})
