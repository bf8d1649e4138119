// The process of treeMemory.ts: builds a tree of NODES nodes with DATA bytes each, entry by entry
// as a member does, and prints what it added to the process.

import { CoordinationState } from '../../../protocol/coordination/tree/coordinationState.ts'
import { decodeEntry, encodeEntry } from '../../../protocol/coordination/tree/entryCodec.ts'
import type { Operation } from '../../../protocol/coordination/tree/operation.ts'

const [nodes = 0, dataBytes = 0] = process.argv.slice(2).map(Number)
const nodesOfDirectory = 1000

function figures() {
  global.gc!()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

const state = CoordinationState.create(1)
const before = figures()
let number = 0

function apply(operations: readonly Operation[]): void {
  const request = { type: 'transaction', session: undefined, operations } as const
  const entry = { member: 'm', number: ++number, stepMs: 1, wallMs: 0, requests: [request] }
  state.apply(decodeEntry(encodeEntry(entry)), () => {})
}

for (let node = 0; node < nodes; node += nodesOfDirectory) {
  const directory = `/directory-${node}`
  apply([{ type: 'create', path: directory, data: Buffer.alloc(0) }])
  apply(
    Array.from({ length: Math.min(nodesOfDirectory, nodes - node) }, (_, at): Operation => {
      const data = Buffer.alloc(dataBytes, `${at} `)
      return { type: 'create', path: `${directory}/node-${at}`, data }
    }),
  )
}

const after = figures()
const added = { heapBytes: after.heap - before.heap, residentBytes: after.rss - before.rss }
process.stdout.write(JSON.stringify({ ...added, zxid: state.zxid }))
