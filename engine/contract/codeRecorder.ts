// Imports job modules, and records the files that each consists of. Node imports a file once per
// thread, so the record lives as long as the thread: a second import of a job runs the code of the
// first.

import { findPackageJSON, registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { EngineError } from '../engineError.ts'
import {
  type CodeSnapshot,
  type CountedFile,
  codeVersion,
  fileName,
  importKey,
  packagesFolder,
  pathOfUrl,
  type ResolvedImport,
  type SourceFile,
  sha256,
} from './codeSnapshot.ts'
import { nativeImport } from './nativeImport.ts'
import { resolveJobImport } from './ownEntry.ts'

interface RecordedModule {
  readonly url: string
  format: string | undefined
  /**
   * The source as imported. Undefined until it is loaded, and when it was loaded before the job.
   */
  source: Uint8Array | undefined
  /** Hash of the file soon after the import; a custom loader may have changed the source itself. */
  fileHash: string | undefined
  readonly imports: Map<string, ResolvedImport>
}

export interface ImportedModule {
  readonly exports: { readonly default?: unknown }
  readonly code: CodeSnapshot
}

type ReadDisk = Pick<Disk, 'readFile'>

/** Job modules of this thread, and what they import, by URL. */
const recorded = new Map<string, RecordedModule>()
let isRecording = false

/**
 * Imports a module and takes the snapshot of its code. Rejects with JOB_MODULE_CHANGED when a file
 * was changed after this thread imported it, and with the error of the import.
 */
export async function importRecorded(disk: ReadDisk, moduleUrl: string): Promise<ImportedModule> {
  startRecording()
  const shared = await sharedPackages(disk)
  await requireUnchanged(disk, reachable(moduleUrl, shared))
  record(moduleUrl)
  const exports = await nativeImport(moduleUrl)
  await requireUnchanged(disk, reachable(moduleUrl, shared))
  return { exports, code: await snapshotOf(disk, moduleUrl, shared) }
}

function startRecording(): void {
  if (isRecording) return
  isRecording = true
  registerHooks({
    resolve(specifier, context, next) {
      const from = context.parentURL
      const parent = from === undefined ? undefined : recorded.get(from)
      if (parent === undefined) return next(specifier, context)
      const found = resolveJobImport({ specifier, from }, () => next(specifier, context))
      if (isOfJob(found.url)) {
        const { url, format } = found
        parent.imports.set(importKey(specifier, context.conditions), {
          url,
          format: format ?? undefined,
        })
        record(url)
      }
      return found
    },
    load(url, context, next) {
      const loaded = next(url, context)
      const module = recorded.get(url)
      if (module) {
        module.format = loaded.format ?? undefined
        module.source = bytesOf(loaded.source)
      }
      return loaded
    },
  })
}

function record(url: string): void {
  if (recorded.has(url)) return
  recorded.set(url, {
    url,
    format: undefined,
    source: undefined,
    fileHash: undefined,
    imports: new Map(),
  })
}

/**
 * A copy: Node's buffers may be parts of larger ones, which would be sent to each executor whole.
 */
function bytesOf(source: unknown): Uint8Array | undefined {
  if (typeof source === 'string') return new TextEncoder().encode(source)
  if (source instanceof ArrayBuffer) return new Uint8Array(source.slice(0))
  if (!ArrayBuffer.isView(source)) return undefined
  return Uint8Array.from(new Uint8Array(source.buffer, source.byteOffset, source.byteLength))
}

/**
 * Files of this program, or of another copy of it, are not code of a job: an upgrade must not
 * change jobs.
 */
function isOfJob(url: string): boolean {
  if (!url.startsWith('file:')) return false
  if (url.startsWith(ownJobs)) return true
  return !ownFolders.some((folder) => url.startsWith(folder)) && !url.includes(otherCopy)
}

const root = new URL('../..', import.meta.url).href
const ownFolders = [`${root}engine/`, `${root}protocol/`]
/** Jobs that come with Millrace are jobs like any other. */
const ownJobs = `${root}engine/jobs/`
const otherCopy = `${packagesFolder}millrace/`

/** Returns the modules of a job, as far as they are recorded. */
function reachable(moduleUrl: string, shared: ReadonlySet<string>): readonly RecordedModule[] {
  const urls = new Set([moduleUrl])
  const modules: RecordedModule[] = []
  for (const url of urls) {
    const module = recorded.get(url)
    if (!module) continue
    modules.push(module)
    if (shared.has(manifestOf(url) ?? '')) continue
    for (const { url: imported } of module.imports.values()) urls.add(imported)
  }
  return modules
}

/** Records the hash of each file that has none yet, and throws if another has changed. */
async function requireUnchanged(disk: ReadDisk, modules: readonly RecordedModule[]): Promise<void> {
  for (const module of modules) {
    if (module.source === undefined) continue
    const path = pathOfUrl(module.url)
    const content = await disk.readFile(path)
    const hash = content === undefined ? '' : sha256(content)
    module.fileHash ??= hash
    if (module.fileHash === hash) continue
    throw new EngineError(
      'JOB_MODULE_CHANGED',
      `${path} has changed since this process imported it, and a process imports a file only once; start the ` +
        'job in a new process, or restore the file',
    )
  }
}

async function snapshotOf(
  disk: ReadDisk,
  moduleUrl: string,
  shared: ReadonlySet<string>,
): Promise<CodeSnapshot> {
  const counted = new Map<string, CountedFile>()
  const files = new Map<string, SourceFile>()
  for (const { url, format, source, imports } of reachable(moduleUrl, shared)) {
    const manifest = manifestOf(url)
    const isShared = manifest !== undefined && shared.has(manifest)
    const path = isShared ? manifest : pathOfUrl(url)
    const content = (isShared ? undefined : source) ?? (await disk.readFile(path))
    if (content === undefined) continue
    const name = fileName(isShared ? pathToFileURL(manifest).href : url, moduleUrl)
    // Not by name: two versions of a package have files with the same names.
    counted.set(isShared ? manifest : url, { name, content })
    // A file without a source is not read as text (an addon), or was loaded before the job.
    if (!isShared && source !== undefined) files.set(url, { format, source, imports })
  }
  return { moduleUrl, version: codeVersion([...counted.values()]), files }
}

/**
 * The package.json of each package that this program depends on. Such a package may have been
 * loaded before the job, when its files are not recorded; so it is represented by its package.json,
 * in every process.
 */
async function sharedPackages(disk: ReadDisk): Promise<ReadonlySet<string>> {
  const own = findPackageJSON(import.meta.url)
  const manifest = own === undefined ? undefined : await disk.readFile(own)
  const { dependencies = {} } = JSON.parse(manifest?.toString() ?? '{}') as {
    readonly dependencies?: Readonly<Record<string, string>>
  }
  const found = Object.keys(dependencies).map((name) => manifestOfDependency(name))
  return new Set(found.filter((path) => path !== undefined))
}

function manifestOfDependency(name: string): string | undefined {
  try {
    return findPackageJSON(name, import.meta.url)
  } catch (error) {
    // An optional dependency that is not installed.
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Returns the package.json of the package that holds the file; undefined outside of packages. */
function manifestOf(url: string): string | undefined {
  const { pathname } = new URL(url)
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(pathname) ?? []
  return folder === undefined ? undefined : fileURLToPath(`file://${folder}/package.json`)
}
