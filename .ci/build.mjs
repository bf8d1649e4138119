// `npm run build`: makes dist/, the folder that is published as the npm package. Its layout is that of the
// checkout with JavaScript in place of TypeScript, and the sources below src/ for stacks and editors.
//
//   node .ci/setup.mjs .ci/build.mjs [--out DIRECTORY]
//
// The directory is replaced as a whole once everything in it is there.

import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const root = resolve(import.meta.dirname, '..')
/** What a job needs in TypeScript decides: 22.18 is the first Node 22 that runs it without a flag. */
const engines = { node: '^22.18.0 || >=24.0.0' }
const program = 'millrace.js'
/** Up to the extension, and the quote after that. */
const relativeImport = /((?:\bfrom|\bimport)\s*\(?\s*["']\.[^"']+)\.ts(["'])/g
const license = /^(?:LICENSE|NOTICE)(?:\.\w+)?$/

const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist') } } })
const target = resolve(values.out)
const work = `${target}-${process.pid}`
try {
  fs.rmSync(work, { recursive: true, force: true })
  fs.mkdirSync(work, { recursive: true })
  build()
  fs.rmSync(target, { recursive: true, force: true })
  fs.renameSync(work, target)
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}
process.stdout.write(
  `${relative(process.cwd(), target) || '.'}: the package, to try and to publish\n`,
)

function build() {
  const manifest = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = Object.values(manifest.exports).flatMap(pathsOf)
  compile()
  copyCommonJs(entries.filter((path) => path.endsWith('.cjs')))
  const declarations = entries.filter((path) => isCode(path)).map(declarationOf)
  removeUnreachableTypes(declarations.map((path) => join(work, path)))
  nameJavaScript()
  placeSources()
  copyFiles()
  const published = publishedManifest(manifest)
  fs.writeFileSync(join(work, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`)
  fs.chmodSync(join(work, program), 0o755)
}

function compile() {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const words = ['-p', join(root, '.ci/build.tsconfig.json'), '--outDir', work]
  const { status } = spawnSync(process.execPath, [compiler, ...words], { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('the compiler found errors: nothing was built')
}

/** Types of what is not exported are nobody's to use. */
function removeUnreachableTypes(entries) {
  const reachable = new Set(entries)
  for (const file of reachable) {
    const text = fs.readFileSync(file, 'utf8')
    for (const [, start] of text.matchAll(relativeImport)) {
      const path = start.slice(start.search(/["']/) + 1)
      reachable.add(join(dirname(file), `${path}.d.ts`))
    }
  }
  for (const file of filesBelow(work, '.d.ts')) {
    if (reachable.has(file)) continue
    fs.rmSync(file)
    fs.rmSync(`${file}.map`)
  }
}

/** CommonJS is written as it is published, beside its declarations. */
function copyCommonJs(paths) {
  for (const path of paths.flatMap((path) => [path, declarationOf(path)])) {
    fs.copyFileSync(join(root, path), join(work, path))
  }
}

/** The compiler leaves `.ts` in declarations, where not every tool understands it. */
function nameJavaScript() {
  for (const file of [...filesBelow(work, '.d.ts'), ...filesBelow(work, '.d.cts')]) {
    const text = fs.readFileSync(file, 'utf8')
    fs.writeFileSync(file, text.replaceAll(relativeImport, '$1.js$2'))
  }
}

/** The maps lead to the sources in the checkout; in the package these are below src/. */
function placeSources() {
  for (const file of filesBelow(work, '.map')) {
    const map = JSON.parse(fs.readFileSync(file, 'utf8'))
    map.sources = map.sources.map((source) => {
      const path = relative(root, resolve(dirname(file), source))
      const copy = join(work, 'src', path)
      fs.mkdirSync(dirname(copy), { recursive: true })
      fs.copyFileSync(join(root, path), copy)
      return relative(dirname(file), copy)
    })
    fs.writeFileSync(file, JSON.stringify(map))
  }
}

/** What is no code: the console's page, samples, and the documents, so that the links of the README hold. */
function copyFiles() {
  const read = ['broker/admin/page', 'agent/orders.conf', 'README.md', 'docs']
  const legal = fs.readdirSync(root).filter((name) => license.test(name))
  for (const path of [...read, ...legal]) {
    const from = join(root, path)
    if (fs.existsSync(from)) fs.cpSync(from, join(work, path), { recursive: true })
  }
}

function publishedManifest({
  name,
  version,
  description,
  license,
  type,
  exports,
  dependencies,
  keywords,
}) {
  const gitHead = commit()
  return {
    name,
    version,
    description,
    keywords,
    license,
    type,
    engines,
    bin: { [name]: `./${program}` },
    exports: Object.fromEntries(
      Object.entries(exports).map(([entry, target]) => [entry, published(target)]),
    ),
    dependencies,
    ...(gitHead && { gitHead }),
  }
}

/** A path, or one for each of `import` and `require`. */
function published(target) {
  if (typeof target === 'string') {
    if (!isCode(target)) return target
    return { types: `./${declarationOf(target)}`, default: target.replace(/\.ts$/, '.js') }
  }
  return Object.fromEntries(
    Object.entries(target).map(([condition, path]) => [condition, published(path)]),
  )
}

function pathsOf(target) {
  return typeof target === 'string' ? [target] : Object.values(target)
}

function isCode(path) {
  return /\.(?:ts|cjs)$/.test(path)
}

function declarationOf(path) {
  return join('.', path).replace(/\.(c?)[jt]s$/, '.d.$1ts')
}

/** Undefined outside of a repository. */
function commit() {
  try {
    const git = (...words) =>
      execFileSync('git', words, {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    const head = git('rev-parse', 'HEAD')
    return git('status', '--porcelain') === '' ? head : `${head}-dirty`
  } catch {
    return undefined
  }
}

function filesBelow(directory, extension) {
  return fs
    .readdirSync(directory, { recursive: true })
    .filter((path) => path.endsWith(extension))
    .map((path) => join(directory, path))
}
