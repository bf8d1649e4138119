// The bytes of a snapshot of the coordination state: a version, the zxid, the clock of the log, the
// sessions in the order in which they were opened, then the tree, each node before its children and
// the children of a node by name. Equal states give equal bytes, so that members can compare them.
//
// Reading checks all that the fold relies on: lengths, names and their order, zxids, owners,
// deadlines.

import { MalformedError } from '../../bytes/malformed.ts'
import { ByteReader } from '../../bytes/reader.ts'
import { ByteWriter } from '../../bytes/writer.ts'
import { readCount, readFormatVersion, readText, writeText } from './entryCodec.ts'
import { Children, Node, Stamp } from './node.ts'
import { NodeTree } from './nodeTree.ts'
import { maxDataBytes, maxPathBytes } from './operation.ts'
import { joinPath, nameFault, rootPath } from './paths.ts'
import { maxSessionTimeoutMs, minSessionTimeoutMs } from './proposal.ts'
import { type SessionRecord, SessionTable } from './sessionTable.ts'

const formatVersion = 1
export const zxidsPerGeneration = 2 ** 40

const modifiedFlag = 1
const ownerFlag = 2
const childrenFlag = 4
const knownFlags = modifiedFlag | ownerFlag | childrenFlag

/** Three lengths, two doubles, a varint. */
const leastSessionBytes = 3 + 2 * 8 + 1
/** Length of the name and a byte of it, flags, zxid, time, version, length of the data. */
const leastNodeBytes = 2 + 1 + 1 + 8 + 1 + 1

export interface SnapshotContent {
  readonly zxid: number
  readonly sessions: SessionTable
  readonly tree: NodeTree
}

export function writeSnapshot({ zxid, sessions, tree }: SnapshotContent): Buffer {
  const writer = new ByteWriter(2 ** 16)
  writer.uint8(formatVersion)
  writer.varlong(zxid)
  writer.float64(sessions.clockMs)
  writer.uvarint(sessions.sessions.size)
  for (const session of sessions.sessions.values()) writeSession(writer, session)
  new NodeWriter(writer, [...sessions.sessions.keys()]).write(tree.root)
  return writer.written()
}

function writeSession(writer: ByteWriter, session: SessionRecord): void {
  writeText(writer, session.id)
  writeText(writer, session.member)
  writeText(writer, session.name)
  writer.float64(session.timeoutMs)
  writer.float64(session.lastHeardMs)
  writer.varlong(session.openedZxid)
}

class NodeWriter {
  readonly #writer: ByteWriter
  readonly #sessionIndex: ReadonlyMap<string, number>

  constructor(writer: ByteWriter, sessions: readonly string[]) {
    this.#writer = writer
    this.#sessionIndex = new Map(sessions.map((session, index) => [session, index]))
  }

  /** Recursive: a path of maxPathBytes has at most half as many components. */
  write(node: Node): void {
    const { created, modified, owner, children } = node
    const writer = this.#writer
    const isModified = modified.zxid !== created.zxid
    writer.uint8(
      (isModified ? modifiedFlag : 0) |
        (owner === undefined ? 0 : ownerFlag) |
        (children === undefined ? 0 : childrenFlag),
    )
    this.#writeStamp(created)
    if (isModified) this.#writeStamp(modified)
    writer.varlong(node.version)
    if (owner !== undefined) writer.uvarint(this.#sessionIndex.get(owner)!)
    writer.uvarint(node.dataBytes)
    node.copyData(writer.reserve(node.dataBytes), writer.length)
    writer.length += node.dataBytes
    if (children !== undefined) this.#writeChildren(children)
  }

  #writeStamp(stamp: Stamp): void {
    this.#writer.varlong(stamp.zxid)
    this.#writer.float64(stamp.ms)
  }

  #writeChildren(children: Children): void {
    const writer = this.#writer
    writer.varlong(children.zxid)
    writer.varlong(children.version)
    writer.varlong(children.nextSequence)
    writer.uvarint(children.byName.size)
    for (const name of children.names()) {
      writeText(writer, name)
      this.write(children.byName.get(name)!)
    }
  }
}

export function readSnapshot(bytes: Uint8Array): SnapshotContent {
  const reader = new ByteReader(bytes)
  readFormatVersion(reader, formatVersion, 'a snapshot of coordination')
  const zxid = reader.varlong()
  need(zxid >= zxidsPerGeneration, `zxid ${zxid} of a snapshot`)
  const clockMs = reader.float64()
  need(Number.isFinite(clockMs) && clockMs >= 0, `clock of a snapshot: ${clockMs} ms`)
  const sessions = new SessionTable(clockMs)
  readSessions(reader, sessions, zxid)
  const tree = new NodeReader(reader, zxid, [...sessions.sessions.keys()]).readTree()
  need(reader.remaining === 0, `${reader.remaining} bytes after a snapshot`)
  return { zxid, sessions, tree }
}

function readSessions(reader: ByteReader, sessions: SessionTable, zxid: number): void {
  const count = readCount(reader, leastSessionBytes)
  let earlierZxid = 0
  for (let index = 0; index < count; index++) {
    const session = readSession(reader)
    const { id, member, openedZxid } = session
    need(id !== '' && !sessions.sessions.has(id), `session ${id} of a snapshot is not new`)
    needTimes(session, sessions.clockMs)
    const heardMs = sessions.lastHeardMs(member) ?? session.lastHeardMs
    need(heardMs === session.lastHeardMs, `member ${member} was heard at two times`)
    need(openedZxid > earlierZxid && openedZxid <= zxid, `session ${id} of zxid ${openedZxid}`)
    earlierZxid = openedZxid
    sessions.open(session)
  }
}

function readSession(reader: ByteReader): SessionRecord {
  const id = readText(reader)
  const member = readText(reader)
  const name = readText(reader)
  const timeoutMs = reader.float64()
  const lastHeardMs = reader.float64()
  return { id, member, name, timeoutMs, lastHeardMs, openedZxid: reader.varlong() }
}

/** A session is ended by the entry at which the clock passes its deadline. */
function needTimes({ id, timeoutMs, lastHeardMs }: SessionRecord, clockMs: number): void {
  const isTimeout = timeoutMs >= minSessionTimeoutMs && timeoutMs <= maxSessionTimeoutMs
  need(isTimeout, `session ${id} has a timeout of ${timeoutMs} ms`)
  const isOpen = lastHeardMs >= 0 && lastHeardMs <= clockMs && lastHeardMs + timeoutMs >= clockMs
  need(isOpen, `session ${id} was heard at ${lastHeardMs} ms, the clock is at ${clockMs} ms`)
}

class NodeReader {
  readonly #reader: ByteReader
  readonly #zxid: number
  readonly #sessions: readonly string[]
  /** Path and owner of each ephemeral node. */
  readonly #ephemerals: [string, string][] = []
  /** The last one read: nodes created by one transaction share it, as in the state it is from. */
  #stamp = new Stamp(0, 0)

  constructor(reader: ByteReader, zxid: number, sessions: readonly string[]) {
    this.#reader = reader
    this.#zxid = zxid
    this.#sessions = sessions
  }

  readTree(): NodeTree {
    const root = this.#readNode(rootPath, 0)
    need(root.owner === undefined, 'the root is ephemeral')
    const tree = new NodeTree(root)
    for (const [path, owner] of this.#ephemerals) tree.addEphemeral(owner, path)
    return tree
  }

  #readNode(path: string, pathBytes: number): Node {
    const reader = this.#reader
    const flags = reader.uint8()
    if (flags > knownFlags) throw new MalformedError(`flags ${flags} of node ${path}`)
    const created = this.#readStamp(path, 0)
    const isModified = (flags & modifiedFlag) !== 0
    const modified = isModified ? this.#readStamp(path, created.zxid + 1) : created
    const version = this.#readNumber(path)
    const owner = (flags & ownerFlag) === 0 ? undefined : this.#readOwner(path)
    const dataBytes = reader.uvarint()
    if (dataBytes > maxDataBytes) throw new MalformedError(`data of ${dataBytes} bytes of ${path}`)
    const node = new Node(reader.view(dataBytes), created, owner)
    node.modified = modified
    node.version = version
    if ((flags & childrenFlag) !== 0) this.#readChildren(node, path, pathBytes)
    return node
  }

  #readStamp(path: string, leastZxid: number): Stamp {
    const zxid = this.#readZxid(path, leastZxid)
    const ms = this.#reader.float64()
    if (!Number.isFinite(ms)) throw new MalformedError(`time ${ms} of node ${path}`)
    if (zxid !== this.#stamp.zxid || ms !== this.#stamp.ms) this.#stamp = new Stamp(zxid, ms)
    return this.#stamp
  }

  #readZxid(path: string, least: number): number {
    const zxid = this.#reader.varlong()
    if (zxid >= least && zxid <= this.#zxid) return zxid
    throw new MalformedError(`zxid ${zxid} of node ${path}`)
  }

  #readNumber(path: string): number {
    const number = this.#reader.varlong()
    if (number >= 0) return number
    throw new MalformedError(`number ${number} of node ${path}`)
  }

  #readOwner(path: string): string {
    const owner = this.#sessions[this.#reader.uvarint()]
    if (owner === undefined) throw new MalformedError(`node ${path} belongs to no session`)
    this.#ephemerals.push([path, owner])
    return owner
  }

  #readChildren(node: Node, path: string, pathBytes: number): void {
    if (node.owner !== undefined) throw new MalformedError(`the ephemeral ${path} has children`)
    const children = new Children(this.#readZxid(path, node.created.zxid))
    children.version = this.#readNumber(path)
    children.nextSequence = this.#readNumber(path)
    node.children = children
    const count = readCount(this.#reader, leastNodeBytes)
    let earlier = ''
    for (let index = 0; index < count; index++) {
      earlier = this.#readChild(children, path, pathBytes, earlier)
    }
  }

  /** Reads the child after the one called `earlier`. Returns its name. */
  #readChild(children: Children, parent: string, parentBytes: number, earlier: string): string {
    const nameBytes = this.#reader.uvarint()
    const name = this.#reader.utf8(nameBytes)
    const fault = nameFault(name)
    if (fault !== undefined) throw new MalformedError(`a child of ${parent}: ${fault}`)
    if (name <= earlier) throw new MalformedError(`the children of ${parent} are not in order`)
    const pathBytes = parentBytes + 1 + nameBytes
    if (pathBytes > maxPathBytes) throw new MalformedError(`${name} below ${parent} is too long`)
    children.byName.set(name, this.#readNode(joinPath(parent, name), pathBytes))
    return name
  }
}

function need(condition: boolean, fault: string): void {
  if (!condition) throw new MalformedError(fault)
}
