// The project's own files as the house rules read them: their paths, texts, imports and comments.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

export const root = join(import.meta.dirname, '../..')
export const rooms = ['protocol', 'broker', 'agent', 'engine'] as const

/** Every file of the work tree that git does not ignore. */
export const trackedFiles = listFiles()
export const files = trackedFiles.filter((file) => file.endsWith('.ts'))
/** The product: what is published. */
export const sources = files.filter(isProduct)
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

export interface Import {
  readonly from: string
  readonly to: string
}

export interface Line {
  readonly file: string
  /** From 1. */
  readonly number: number
  readonly text: string
}

/** The command and the demo, which import every room. */
export function isDoor(file: string): boolean {
  return file === 'millrace.ts' || file.startsWith('demo/')
}

export function textOf(file: string): string {
  return texts.get(file)!
}

/** The text of a page, from the path of its file. */
export function pageOf(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** All imports by a relative path, of types and of values. */
export function importsOf(from: readonly string[]): Import[] {
  const pattern = /^(?:import|export)\b[^'(]*?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gms
  return from.flatMap((file) =>
    [...textOf(file).matchAll(pattern)].map((match) => ({
      from: file,
      to: normalize(join(dirname(file), (match[1] ?? match[2])!)),
    })),
  )
}

/** Lines of comments: the whole line, or what follows ` // `. */
export function commentLines(file: string): Line[] {
  const lines = textOf(file).split('\n')
  const found: Line[] = []
  let inBlock = false
  for (const [index, text] of lines.entries()) {
    const opens = /^\s*\/\*/.test(text)
    const isComment = inBlock || opens || /^\s*\/\//.test(text)
    if (isComment) found.push({ file, number: index + 1, text })
    if (opens || inBlock) inBlock = !text.includes('*/')
  }
  return found
}

function listFiles(): string[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard']
  const names = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).trim().split('\n')
  const removed = execFileSync('git', ['ls-files', '--deleted'], { cwd: root, encoding: 'utf8' })
  return names.filter((name) => !removed.split('\n').includes(name))
}

function isProduct(file: string): boolean {
  return isDoor(file) || rooms.some((room) => file.startsWith(`${room}/`))
}
