// The taildir source's position file, in Flume's format: `[{"inode":1,"pos":2,"file":"/a"}]`. Flume
// stops at a field that it does not know, so there is none; what else we know of a file is in the
// channel. A torn or foreign file is an error and never silently "from the start".

import { AgentError } from '../../errors.ts'

export interface PositionEntry {
  readonly inode: number
  readonly pos: number
  readonly file: string
}

export function formatPositions(entries: readonly PositionEntry[]): Buffer {
  const plain = entries.map(({ inode, pos, file }) => ({ inode, pos, file }))
  return Buffer.from(JSON.stringify(plain))
}

export function parsePositions(content: Buffer, path: string): PositionEntry[] {
  if (content.length === 0) return []
  let parsed: unknown
  try {
    parsed = JSON.parse(content.toString())
  } catch (error) {
    throw unusable(path, error)
  }
  if (!Array.isArray(parsed) || !parsed.every(isEntry)) throw unusable(path)
  return parsed
}

function isEntry(value: unknown): value is PositionEntry {
  if (typeof value !== 'object' || value === null) return false
  const { inode, pos, file } = value as Record<string, unknown>
  return Number.isSafeInteger(inode) && isOffset(pos) && typeof file === 'string'
}

function isOffset(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function unusable(path: string, cause?: unknown): AgentError {
  return new AgentError(
    'CONFIGURATION',
    `position file ${path} is not a list of {"inode", "pos", "file"}: repair it, or remove it to read all files from the start`,
    cause,
  )
}
