// `npm run docs`, second part: writes docs/reference/, one page for each entry of package.json, from the
// comments of what it exports. Everything that is exported needs a comment, and every type that it names
// must be exported, or there are no pages.
//
//   node .ci/setup.mjs --tools typedoc@... .ci/reference.mjs [--out DIRECTORY]
//
// TypeDoc needs an older TypeScript than the project's. Both are tools of their own (setup.mjs).

import * as fs from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const manifest = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'))
const [tool] = /typedoc@[\d.]+/.exec(manifest.scripts.docs)
const modules = join(root, 'node_modules', '.cache', 'npm', tool, 'node_modules')
const typedoc = await import(pathToFileURL(join(modules, 'typedoc/dist/index.js')).href)

const { values } = parseArgs({
  options: { out: { type: 'string', default: join(root, 'docs', 'reference') } },
})
const entries = Object.values(manifest.exports)
  .map((target) => target.import ?? target)
  .filter((path) => path.endsWith('.ts'))
  .map((path) => join(root, path))

const app = await typedoc.Application.bootstrapWithPlugins({
  entryPoints: entries,
  out: values.out,
  tsconfig: join(root, 'tsconfig.json'),
  plugin: [join(modules, 'typedoc-plugin-markdown/dist/index.js')],
  router: 'module',
  // The project's own compiler has checked the types.
  skipErrorChecking: true,
  logLevel: 'Warn',
  readme: 'none',
  name: 'Reference',
  excludePrivate: true,
  excludeProtected: true,
  excludeInternal: true,
  excludeExternals: true,
  disableSources: true,
  // How the engine itself sees a stream, and tables of which only the keys are meant.
  intentionallyNotExported: ['Lineage', 'Flaw', 'brokerOptions', 'Screaming', 'fallibleApis'],
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Function', 'Variable'],
  hidePageHeader: true,
  hideBreadcrumbs: true,
  entryFileName: 'README',
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  enumMembersFormat: 'table',
  tableColumnSettings: { hideModifiers: true, hideInherited: true, hideOverrides: true },
  pageTitleTemplates: {
    index: 'Reference',
    module: ({ rawName }) => `millrace/${rawName}`,
  },
})
app.converter.on(typedoc.Converter.EVENT_RESOLVE_BEGIN, removeNoise)
const project = await app.convert()
if (project === undefined) process.exit(1)
app.validate(project)
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1)
fs.rmSync(values.out, { recursive: true, force: true })
await app.generateOutputs(project)
if (app.logger.hasErrors()) process.exit(1)
process.stdout.write(`${values.out}\n`)

/**
 * Removes inherited members, because a page names the type that they come from, but for an error's own
 * codes (CodedError, which is not exported). Removes constructors of errors: users catch errors.
 */
function removeNoise({ project }) {
  for (const reflection of project.getReflectionsByKind(typedoc.ReflectionKind.All)) {
    const isOfError =
      reflection.kindOf(typedoc.ReflectionKind.Constructor) && /Error$/.test(reflection.parent.name)
    const from = reflection.inheritedFrom?.name
    const isRepeated = from !== undefined && from !== 'CodedError.code'
    if (isRepeated || isOfError) project.removeReflection(reflection)
  }
}
