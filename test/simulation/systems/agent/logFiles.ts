// The log files on the agent's host: a program appends lines, log rotation renames, copies,
// truncates and removes files. Works on the disk at once, past its faults, so that what is in the
// files is known exactly; a loss of power loses what was not synced, as for everybody.

import { join } from 'node:path'
import type { DiskFile } from '../../../../protocol/runtime/disk/disk.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { logDirectory, type WriterStep } from './agentParameters.ts'
import type { Line, LineLedger } from './lineLedger.ts'
import type { ReusedInodes } from './reusedInodes.ts'

/** What a file holds between two truncations. */
export interface Content {
  readonly number: number
  /** Of the disk, not as the agent sees it. */
  readonly inode: number
  readonly file: DiskFile
  path: string
  /** Lines with the offset behind each, line end included. */
  lines: { readonly line: Line; readonly end: number }[]
  sizeBytes: number
  /** The rest of a line that was cut. */
  rest: string
}

export interface LogFilesOptions {
  readonly disk: MemoryDisk
  readonly inodes: ReusedInodes
  readonly ledger: LineLedger
  readonly syncs: boolean
  /** Draws the lengths of lines. */
  readonly padding: () => number
  /** Called before content is destroyed, and when lines could be recorded. */
  readonly beforeLoss: () => Promise<void>
  /** Called before a file gets a name that does not match the file group. */
  readonly leaves: (content: Content) => Promise<void>
  readonly later: (delayMs: number, run: () => Promise<void>) => void
  /** Called when a copy that matches the file group begins, of this content. */
  readonly copies: (copy: Copy) => void
  readonly nowMs: () => number
}

/** A copy that copytruncate makes under a name that matches the file group. */
export interface Copy {
  readonly sinceMs: number
  /** Lines of the original when the copy began. */
  readonly before: readonly Line[]
  lines: readonly Line[]
  /** When its original was truncated; undefined if that never happened. */
  truncatedMs: number | undefined
  /** Whether it had all that was in the original by then. */
  isWhole: boolean
}

type FileName = WriterStep['file']

const fileNames: readonly FileName[] = ['app', 'web', 'job']

const empty = { sizeBytes: 0, rest: '' }

export class LogFiles {
  readonly #options: LogFilesOptions
  readonly #current = new Map<FileName, Content>()
  /** Every content that a file has, by inode. */
  readonly #contents = new Map<number, Content>()
  /** Files of which a copy is under way. */
  readonly #copied = new Set<FileName>()
  #boots = 0
  #rotations = 0
  #before: ReadonlyMap<number, string> = new Map()

  constructor(options: LogFilesOptions) {
    this.#options = options
  }

  get contents(): Iterable<Content> {
    return this.#contents.values()
  }

  async start(): Promise<void> {
    const { disk } = this.#options
    await disk.makeDirectory(logDirectory)
    await disk.syncDirectory('/')
  }

  async perform(step: WriterStep): Promise<void> {
    const content = this.#current.get(step.file)
    switch (step.kind) {
      case 'append':
        await this.#append(step)
        break
      case 'rename':
        if (content) await this.#rename(step.file, content, step.matches)
        break
      case 'copyTruncate':
        // logrotate copies a file once at a time.
        if (content && !this.#copied.has(step.file)) await this.#copy(step, content)
        break
      case 'truncate':
        if (content) await this.#truncate(step.file, content, step.keeps)
        break
      case 'remove':
        if (content) await this.#remove(step.file, content)
    }
  }

  /** The lines that files which match the file group have now. */
  async existing(): Promise<Set<Line>> {
    const lines: Line[] = []
    for (const [path, text] of await this.#texts()) {
      if (path.endsWith('.log')) lines.push(...this.#options.ledger.parse(text.text))
    }
    return new Set(lines)
  }

  /** Called before the power fails. */
  async powerFails(): Promise<void> {
    const texts = await this.#texts()
    this.#before = new Map([...texts.values()].map(({ inode, text }) => [inode, text]))
  }

  /** Called when the disk has lost what it loses: goes on with what is left. */
  async powerFailed(): Promise<void> {
    const { disk, ledger } = this.#options
    const reason = 'a loss of power changed the file'
    this.#boots++
    this.#copied.clear()
    const after = await this.#texts()
    const left = new Map([...after.values()].map(({ inode, text }) => [inode, text]))
    for (const [inode, text] of this.#before) {
      if (left.get(inode) === text) continue
      ledger.mayRepeat(ledger.parse(text), reason)
      ledger.mayRepeat(ledger.parse(left.get(inode) ?? ''), reason)
      const content = this.#contents.get(inode)
      if (content) ledger.contentMayRepeat(content.number, reason)
    }
    for (const [inode, text] of left) {
      // A file whose removal was lost is there again.
      if (!this.#before.has(inode)) ledger.mayRepeat(ledger.parse(text), reason)
    }
    this.#contents.clear()
    this.#current.clear()
    for (const [path, { inode, text }] of after) {
      const file = await disk.open(path, 'write')
      const content = { number: ledger.newContent(), inode, file, path, lines: [], ...empty }
      this.#keep(content, text)
      // A torn line ends here, so that the next one is whole.
      if (text !== '' && !text.endsWith('\n')) {
        await this.#write(content, '\n')
        ledger.addFragment('')
      }
      this.#contents.set(inode, content)
      const name = fileNames.find((name) => path === pathOf(name))
      if (name) this.#current.set(name, content)
    }
  }

  #keep(content: Content, text: string): void {
    let end = 0
    for (const part of text.split('\n')) {
      end += Buffer.byteLength(part) + 1
      const line = this.#options.ledger.find(part)
      if (line !== undefined && end <= Buffer.byteLength(text)) content.lines.push({ line, end })
    }
    content.sizeBytes = Buffer.byteLength(text)
  }

  async #append({ file: name, lines, cut }: Extract<WriterStep, { kind: 'append' }>) {
    const { ledger, padding, later } = this.#options
    const content = this.#current.get(name) ?? (await this.#create(name))
    await this.#writeRest(content)
    let text = ''
    let last: Line | undefined
    for (let count = 0; count < lines; count++) {
      last = ledger.newLine(content.number, padding())
      text += `${last.text}\n`
      content.lines.push({ line: last, end: content.sizeBytes + text.length })
    }
    if (cut === undefined || last === undefined) return await this.#write(content, text)
    const at = text.length - last.text.length - 1 + ledger.cut(last, cut.share)
    await this.#write(content, text.slice(0, at))
    const rest = text.slice(at)
    content.rest = rest
    const boots = this.#boots
    later(cut.restAfterMs, async () => {
      const isThere = this.#contents.get(content.inode) === content
      if (isThere && boots === this.#boots && content.rest === rest) await this.#writeRest(content)
    })
  }

  async #writeRest(content: Content): Promise<void> {
    const { rest } = content
    content.rest = ''
    if (rest !== '') await this.#write(content, rest)
  }

  async #create(name: FileName): Promise<Content> {
    const content = await this.#newFile(pathOf(name), this.#options.ledger.newContent())
    this.#current.set(name, content)
    return content
  }

  async #newFile(path: string, number: number): Promise<Content> {
    const { disk, inodes, syncs } = this.#options
    const file = await disk.open(path, 'write')
    const { inode } = await file.stat()
    inodes.created(inode)
    if (syncs) await disk.syncDirectory(logDirectory)
    const content = { number, inode, file, path, lines: [], ...empty }
    this.#contents.set(inode, content)
    return content
  }

  async #write(content: Content, text: string): Promise<void> {
    await content.file.write([Buffer.from(text)], content.sizeBytes)
    content.sizeBytes += text.length
    if (this.#options.syncs) await content.file.sync()
  }

  async #rename(name: FileName, content: Content, matches: boolean): Promise<void> {
    const { disk, syncs, beforeLoss, leaves } = this.#options
    await beforeLoss()
    if (!matches) await leaves(content)
    const path = pathOf(`${name}.${this.#rotations++}`, matches)
    await disk.rename(content.path, path)
    content.path = path
    if (syncs) await disk.syncDirectory(logDirectory)
    this.#current.delete(name)
  }

  async #copy(
    { file: name, matches, copyMs, truncateMs }: Extract<WriterStep, { kind: 'copyTruncate' }>,
    content: Content,
  ): Promise<void> {
    const { later, nowMs, copies, beforeLoss } = this.#options
    await beforeLoss()
    const boots = this.#boots
    const isOver = () => boots !== this.#boots || this.#current.get(name) !== content
    const to = await this.#newFile(
      pathOf(`${name}.copy${this.#rotations++}`, matches),
      content.number,
    )
    const before = content.lines.map(({ line }) => line)
    const copy: Copy = {
      sinceMs: nowMs(),
      before,
      lines: [],
      truncatedMs: undefined,
      isWhole: false,
    }
    if (matches) copies(copy)
    // Whole lines first: what else a reader could see is as a line that was cut.
    const half = content.lines.findLast(({ end }) => end <= content.sizeBytes / 2)?.end ?? 0
    await this.#copyUpTo(content, to, half, copy)
    this.#copied.add(name)
    later(copyMs, async () => {
      this.#copied.delete(name)
      if (isOver()) return
      this.#copied.add(name)
      await this.#copyUpTo(content, to, content.sizeBytes, copy)
      later(truncateMs, async () => {
        this.#copied.delete(name)
        if (isOver()) return
        // What was written since the copy is lost, as with copytruncate.
        await beforeLoss()
        copy.truncatedMs = nowMs()
        copy.isWhole = to.sizeBytes === content.sizeBytes
        await this.#empty(name, content, 0)
      })
    })
  }

  async #copyUpTo(from: Content, to: Content, sizeBytes: number, copy: Copy): Promise<void> {
    const text = (await this.#options.disk.readFile(from.path))!.toString('latin1')
    await this.#write(to, text.slice(to.sizeBytes, sizeBytes))
    to.lines = from.lines.filter(({ end }) => end <= sizeBytes)
    copy.lines = to.lines.map(({ line }) => line)
  }

  async #truncate(name: FileName, content: Content, keeps: number): Promise<void> {
    await this.#options.beforeLoss()
    await this.#empty(name, content, keeps)
  }

  async #empty(name: FileName, content: Content, keeps: number): Promise<void> {
    const { ledger, syncs } = this.#options
    const whole = content.lines.filter(({ end }) => end <= content.sizeBytes)
    const kept = whole.slice(0, Math.floor(whole.length * keeps))
    const sizeBytes = kept.at(-1)?.end ?? 0
    const number = ledger.newContent()
    if (kept.length > 0) {
      // Its first bytes may not be those any more by which the agent knows it.
      const lines = content.lines.map(({ line }) => line)
      ledger.mayRepeat(lines, 'the file was truncated to its first lines')
      ledger.contentMayRepeat(content.number, 'the file was truncated to its first lines')
      ledger.contentMayRepeat(number, 'the file was truncated to its first lines')
    }
    await content.file.truncate(sizeBytes)
    if (syncs) await content.file.sync()
    const next = { ...content, number, lines: kept, sizeBytes, rest: '' }
    this.#contents.set(content.inode, next)
    this.#current.set(name, next)
  }

  async #remove(name: FileName, content: Content): Promise<void> {
    const { disk, inodes, syncs, beforeLoss } = this.#options
    await beforeLoss()
    await disk.remove(content.path)
    await content.file.close()
    this.#contents.delete(content.inode)
    this.#current.delete(name)
    if (!syncs) return
    await disk.syncDirectory(logDirectory)
    inodes.removed(content.inode)
  }

  async #texts(): Promise<Map<string, { inode: number; text: string }>> {
    const { disk } = this.#options
    const texts = new Map<string, { inode: number; text: string }>()
    for (const name of await disk.list(logDirectory)) {
      const path = join(logDirectory, name)
      const { inode } = (await disk.stat(path))!
      texts.set(path, { inode, text: (await disk.readFile(path))!.toString('latin1') })
    }
    return texts
  }
}

function pathOf(name: string, matches = true): string {
  return join(logDirectory, `${name}.${matches ? 'log' : 'old'}`)
}
