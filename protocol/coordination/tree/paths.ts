// Paths of nodes: their validation, their parts, and the numbers of sequential nodes. The rules are
// those of ZooKeeper's PathUtils.validatePath.

import { maxPathBytes } from './operation.ts'

export const rootPath = '/'

const sequenceDigits = 10
const slash = 0x2f
const dot = 0x2e

/**
 * Returns why the path is not allowed; undefined if it is. `path` with a number appended is checked
 * for a sequential node, which may therefore end with "/".
 */
export function pathFault(path: string): string | undefined {
  if (path.charCodeAt(0) !== slash) return 'a path starts with "/"'
  if (path.length * 3 > maxPathBytes && Buffer.byteLength(path) > maxPathBytes) {
    return `a path has at most ${maxPathBytes} bytes`
  }
  if (path.length === 1) return undefined
  let start = 1
  for (let at = 1; at <= path.length; at++) {
    const isEnd = at === path.length
    if (!isEnd && path.charCodeAt(at) !== slash) continue
    const fault = nameFault(path, start, at)
    if (fault !== undefined) return fault
    start = at + 1
  }
  return undefined
}

/** Returns why `text` from `start` to `end` cannot be the name of a node; undefined if it can. */
export function nameFault(text: string, start = 0, end = text.length): string | undefined {
  const length = end - start
  if (length === 0) return 'a path has no empty component, and does not end with "/"'
  const isDots = length <= 2 && text.charCodeAt(start) === dot && text.charCodeAt(end - 1) === dot
  if (isDots) return 'a path has no component "." or ".."'
  for (let at = start; at < end; at++) {
    if (!isAllowed(text.charCodeAt(at))) return `character ${at} of a path is not allowed`
  }
  return undefined
}

/** No control characters, surrogates, private use characters or specials, as in ZooKeeper. */
function isAllowed(code: number): boolean {
  if (code === slash || code < 0x20) return false
  if (code < 0x7f) return true
  if (code <= 0x9f) return false
  return code < 0xd800 || (code > 0xf8ff && code < 0xfff0)
}

/** Path of the parent. The root has none. */
export function parentPath(path: string): string {
  const at = path.lastIndexOf('/')
  return at === 0 ? rootPath : path.slice(0, at)
}

/** Last component of a path; empty for the root. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function joinPath(parent: string, name: string): string {
  return parent === rootPath ? `/${name}` : `${parent}/${name}`
}

/** The number of a sequential node as the end of its name: ten digits, so that names sort by it. */
export function sequenceSuffix(sequence: number): string {
  return String(sequence).padStart(sequenceDigits, '0')
}
