// One transaction on the tree: its operations are applied one after the other, each to what the
// ones before it left, and all are taken back if one is refused. The rules are ZooKeeper's: see
// operation.ts.

import { assert, unreachable } from '../../runtime/assert.ts'
import type { TransactionErrorCode } from '../coordinationError.ts'
import { Children, Node, type Stamp } from './node.ts'
import type { NodeTree } from './nodeTree.ts'
import { maxDataBytes, type Operation, type OperationResult, type TreeEvent } from './operation.ts'
import { joinPath, lastName, parentPath, pathFault, rootPath, sequenceSuffix } from './paths.ts'

export interface Refusal {
  readonly error: TransactionErrorCode
  readonly message: string
}

type Create = Extract<Operation, { type: 'create' }>
type Versioned = Exclude<Operation, { type: 'create' }>

export class TreeTransaction {
  readonly events: TreeEvent[] = []
  readonly #tree: NodeTree
  readonly #stamp: Stamp
  /** Owner of the ephemeral nodes that it creates. */
  readonly #session: string | undefined
  readonly #undo: (() => void)[] = []

  constructor(tree: NodeTree, stamp: Stamp, session: string | undefined) {
    this.#tree = tree
    this.#stamp = stamp
    this.#session = session
  }

  /** Applies the next operation. A refused one has changed nothing; the others stay applied. */
  apply(operation: Operation): OperationResult | Refusal {
    const fault = argumentFault(operation)
    if (fault !== undefined) return refuse('BAD_ARGUMENTS', operation, fault)
    if (operation.type === 'create') return this.#create(operation)
    const node = this.#tree.find(operation.path)
    if (node === undefined) return refuse('NO_NODE', operation, 'the node does not exist')
    const { version } = operation
    if (version !== undefined && version !== node.version) {
      return refuse(
        'BAD_VERSION',
        operation,
        `the node has version ${node.version}, not ${version}`,
      )
    }
    return this.#applyTo(node, operation)
  }

  /** Deletes the ephemeral nodes of a session that ends. */
  deleteEphemerals(session: string): void {
    for (const path of this.#tree.ephemeralsOf(session)) {
      const node = this.#tree.find(path)
      assert(node?.owner === session, 'an ephemeral node of a session exists and belongs to it')
      this.#remove(node, path)
    }
  }

  /** Takes all operations back. The transaction must not be used any more. */
  rollBack(): void {
    for (let index = this.#undo.length - 1; index >= 0; index--) this.#undo[index]!()
    this.events.length = 0
  }

  #applyTo(node: Node, operation: Versioned): OperationResult | Refusal {
    const { type, path } = operation
    switch (type) {
      case 'check':
        return { path, stat: node.stat }
      case 'set':
        this.#undo.push(node.change(operation.data, this.#stamp))
        this.#note('changed', path)
        return { path, stat: node.stat }
      case 'delete':
        if (path === rootPath) return refuse('BAD_ARGUMENTS', operation, 'the root always exists')
        if ((node.children?.byName.size ?? 0) > 0) {
          return refuse('NOT_EMPTY', operation, 'the node has children')
        }
        this.#remove(node, path)
        return { path, stat: undefined }
      default:
        return unreachable(type)
    }
  }

  #create(operation: Create): OperationResult | Refusal {
    if (operation.path === rootPath && !operation.isSequential) {
      return refuse('NODE_EXISTS', operation, 'the root always exists')
    }
    const parentOf = parentPath(operation.path)
    const parent = this.#tree.find(parentOf)
    const refusal = this.#parentRefusal(operation, parentOf, parent)
    if (refusal !== undefined) return refusal
    return this.#createBelow(parent!, parentOf, operation)
  }

  #parentRefusal(operation: Create, path: string, parent: Node | undefined): Refusal | undefined {
    if (parent === undefined) {
      return refuse('NO_NODE', operation, `the parent ${path} does not exist`)
    }
    if (parent.owner !== undefined) {
      const message = `the parent ${path} is ephemeral`
      return refuse('NO_CHILDREN_FOR_EPHEMERALS', operation, message)
    }
    if (operation.isEphemeral && this.#session === undefined) {
      return refuse('BAD_ARGUMENTS', operation, 'an ephemeral node needs a session')
    }
    return undefined
  }

  #createBelow(parent: Node, parentOf: string, operation: Create): OperationResult | Refusal {
    const prefix = lastName(operation.path)
    const sequence = operation.isSequential ? freeSequence(parent, prefix) : undefined
    const name = sequence === undefined ? prefix : prefix + sequenceSuffix(sequence)
    const path = joinPath(parentOf, name)
    if (parent.children?.byName.has(name)) {
      return refuse('NODE_EXISTS', operation, 'the node exists')
    }
    const fault = pathFault(path)
    if (fault !== undefined) return refuse('BAD_ARGUMENTS', operation, fault)
    const owner = operation.isEphemeral ? this.#session : undefined
    const node = new Node(operation.data, this.#stamp, owner)
    this.#insert(parent, path, name, node, sequence)
    return { path, stat: node.stat }
  }

  #insert(
    parent: Node,
    path: string,
    name: string,
    node: Node,
    sequence: number | undefined,
  ): void {
    const children = this.#touchChildren(parent)
    if (sequence !== undefined) children.nextSequence = sequence + 1
    const key = ownText(name)
    children.byName.set(key, node)
    if (node.owner !== undefined) this.#tree.addEphemeral(node.owner, path)
    this.#undo.push(() => {
      children.byName.delete(key)
      if (node.owner !== undefined) this.#tree.removeEphemeral(node.owner, path)
    })
    this.#note('created', path)
  }

  #remove(node: Node, path: string): void {
    const parent = this.#tree.find(parentPath(path))
    assert(parent !== undefined, 'the parent of a node exists')
    const name = lastName(path)
    const children = this.#touchChildren(parent)
    children.byName.delete(name)
    if (node.owner !== undefined) this.#tree.removeEphemeral(node.owner, path)
    this.#undo.push(() => {
      children.byName.set(name, node)
      if (node.owner !== undefined) this.#tree.addEphemeral(node.owner, path)
    })
    this.#note('deleted', path)
  }

  /** Counts a creation or deletion of a child. */
  #touchChildren(parent: Node): Children {
    const children = parent.children
    if (children === undefined) {
      const first = new Children(this.#stamp.zxid)
      first.version = 1
      parent.children = first
      this.#undo.push(() => {
        parent.children = undefined
      })
      return first
    }
    const { zxid, version, nextSequence } = children
    this.#undo.push(() => Object.assign(children, { zxid, version, nextSequence }))
    children.zxid = this.#stamp.zxid
    children.version++
    return children
  }

  #note(type: TreeEvent['type'], path: string): void {
    this.events.push({ type, path, zxid: this.#stamp.zxid })
  }
}

function argumentFault(operation: Operation): string | undefined {
  if ('data' in operation && operation.data.length > maxDataBytes) {
    return `data has at most ${maxDataBytes} bytes, not ${operation.data.length}`
  }
  // The number is appended to the last component of a sequential path, which may be empty.
  const isSequential = operation.type === 'create' && operation.isSequential === true
  return pathFault(isSequential ? `${operation.path}0` : operation.path)
}

/** The next number, after those that somebody created by name. */
function freeSequence(parent: Node, prefix: string): number {
  const { children } = parent
  let sequence = children?.nextSequence ?? 0
  while (children?.byName.has(prefix + sequenceSuffix(sequence))) sequence++
  return sequence
}

/** A slice of a longer text keeps that text alive: the path, for every name in the tree. */
function ownText(text: string): string {
  return Buffer.from(text).toString()
}

function refuse(error: TransactionErrorCode, operation: Operation, message: string): Refusal {
  return { error, message: `${operation.type} ${operation.path}: ${message}` }
}
