// A directed graph over numbered nodes, with its strongly connected components (Tarjan, 1972) and
// shortest cycles, for histories of hundreds of thousands of operations.
//
// Contract: nodes are 0 .. nodeCount - 1. Time is linear in nodes and edges, memory is typed
// arrays, and no function calls itself.

/** Edges that may be added at first; the arrays double when they are full. */
const firstCapacity = 1024

export class EdgeList {
  #from = new Int32Array(firstCapacity)
  #to = new Int32Array(firstCapacity)
  #count = 0

  /** Returns the number of the edge. */
  add(from: number, to: number): number {
    if (this.#count === this.#from.length) {
      this.#from = doubled(this.#from)
      this.#to = doubled(this.#to)
    }
    this.#from[this.#count] = from
    this.#to[this.#count] = to
    return this.#count++
  }

  get count(): number {
    return this.#count
  }

  from(edge: number): number {
    return this.#from[edge]!
  }

  to(edge: number): number {
    return this.#to[edge]!
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}

/** The edges of a list that satisfy a predicate, by the node from which they start. */
export class Digraph {
  readonly nodeCount: number
  readonly #edges: EdgeList
  /** Where the edges of each node start in `#order`. */
  readonly #starts: Int32Array
  /** Numbers of edges, by their first node. */
  readonly #order: Int32Array

  constructor(nodeCount: number, edges: EdgeList, isIncluded: (edge: number) => boolean) {
    this.nodeCount = nodeCount
    this.#edges = edges
    const starts = new Int32Array(nodeCount + 1)
    const included = new Uint8Array(edges.count)
    for (let edge = 0; edge < edges.count; edge++) {
      if (!isIncluded(edge)) continue
      included[edge] = 1
      starts[edges.from(edge) + 1]!++
    }
    for (let node = 0; node < nodeCount; node++) starts[node + 1]! += starts[node]!
    this.#starts = starts
    this.#order = new Int32Array(starts[nodeCount]!)
    const next = starts.slice()
    for (let edge = 0; edge < edges.count; edge++)
      if (included[edge] === 1) this.#order[next[edges.from(edge)]!++] = edge
  }

  /** Components of more than one node; a node without a cycle belongs to none. */
  components(): readonly (readonly number[])[] {
    return new ComponentSearch(this).run()
  }

  firstEdge(node: number): number {
    return this.#starts[node]!
  }

  endOfEdges(node: number): number {
    return this.#starts[node + 1]!
  }

  target(position: number): number {
    return this.#edges.to(this.#order[position]!)
  }

  /** Edges from one member to another. */
  *edgesWithin(members: ReadonlySet<number>): Generator<number> {
    for (const node of members)
      for (let at = this.#starts[node]!; at < this.#starts[node + 1]!; at++) {
        const edge = this.#order[at]!
        if (members.has(this.#edges.to(edge))) yield edge
      }
  }

  /**
   * The edges of a shortest path from one node to another through nodes that are allowed; undefined
   * if there is none.
   */
  path(from: number, to: number, isAllowed: (node: number) => boolean): number[] | undefined {
    const cameBy = new Map<number, number>()
    const queue = [from]
    for (const node of queue)
      for (let at = this.#starts[node]!; at < this.#starts[node + 1]!; at++) {
        const edge = this.#order[at]!
        const target = this.#edges.to(edge)
        if (cameBy.has(target) || !isAllowed(target)) continue
        cameBy.set(target, edge)
        if (target === to) return this.#walkBack(from, to, cameBy)
        queue.push(target)
      }
    return undefined
  }

  #walkBack(from: number, to: number, cameBy: ReadonlyMap<number, number>): number[] {
    const path: number[] = []
    let node = to
    do {
      const edge = cameBy.get(node)!
      path.push(edge)
      node = this.#edges.from(edge)
    } while (node !== from)
    return path.reverse()
  }
}

/** Tarjan's algorithm with a stack of its own in place of recursion. */
class ComponentSearch {
  readonly #graph: Digraph
  /** Order of discovery, from 1; 0 for nodes that were not reached. */
  readonly #found: Int32Array
  readonly #low: Int32Array
  readonly #isOpen: Uint8Array
  /** The next edge to follow, of each node on the way. */
  readonly #next: Int32Array
  readonly #way: number[] = []
  readonly #open: number[] = []
  readonly #components: number[][] = []
  #count = 0

  constructor(graph: Digraph) {
    this.#graph = graph
    this.#found = new Int32Array(graph.nodeCount)
    this.#low = new Int32Array(graph.nodeCount)
    this.#isOpen = new Uint8Array(graph.nodeCount)
    this.#next = new Int32Array(graph.nodeCount)
  }

  run(): number[][] {
    for (let node = 0; node < this.#graph.nodeCount; node++) {
      if (this.#found[node] !== 0) continue
      this.#enter(node)
      while (this.#way.length > 0) this.#step(this.#way.at(-1)!)
    }
    return this.#components
  }

  #enter(node: number): void {
    this.#found[node] = this.#low[node] = ++this.#count
    this.#isOpen[node] = 1
    this.#next[node] = this.#graph.firstEdge(node)
    this.#way.push(node)
    this.#open.push(node)
  }

  #step(node: number): void {
    const at = this.#next[node]!
    if (at === this.#graph.endOfEdges(node)) {
      this.#leave(node)
      return
    }
    this.#next[node] = at + 1
    const target = this.#graph.target(at)
    if (this.#found[target] === 0) this.#enter(target)
    else if (this.#isOpen[target] === 1)
      this.#low[node] = Math.min(this.#low[node]!, this.#found[target]!)
  }

  #leave(node: number): void {
    this.#way.pop()
    const before = this.#way.at(-1)
    if (before !== undefined) this.#low[before] = Math.min(this.#low[before]!, this.#low[node]!)
    if (this.#low[node] !== this.#found[node]) return
    const component = this.#open.splice(this.#open.lastIndexOf(node))
    for (const member of component) this.#isOpen[member] = 0
    if (component.length > 1) this.#components.push(component)
  }
}
