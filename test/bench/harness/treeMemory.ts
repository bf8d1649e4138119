// The memory of a tree of coordination, measured in a process of its own: what a tree adds to a
// process that has only loaded the code.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface TreeMemory {
  /** Heap and buffers after a collection. */
  readonly heapBytes: number
  readonly residentBytes: number
}

export async function treeMemory(nodes: number, dataBytes: number): Promise<TreeMemory> {
  const file = fileURLToPath(new URL('treeMemoryProcess.ts', import.meta.url))
  const words = ['--expose-gc', file, String(nodes), String(dataBytes)]
  const { stdout } = await run(process.execPath, words)
  return JSON.parse(stdout)
}
