// What the channels of a running agent have accepted, as their positions say: from then on the
// agent owes it, whatever becomes of the file.

import type { Agent } from '../../../../agent/agent.ts'
import type { Channel } from '../../../../agent/channels/channel.ts'
import { crc32c } from '../../../../protocol/bytes/crc32c.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import type { LineLedger } from './lineLedger.ts'
import type { Content } from './logFiles.ts'
import type { ReusedInodes } from './reusedInodes.ts'

export class Acceptance {
  readonly #ledger: LineLedger
  readonly #inodes: ReusedInodes
  readonly #disk: MemoryDisk

  constructor(ledger: LineLedger, inodes: ReusedInodes, disk: MemoryDisk) {
    this.#ledger = ledger
    this.#inodes = inodes
    this.#disk = disk
  }

  /** Waits for no event. */
  async probe(agent: Agent, contents: Iterable<Content>): Promise<void> {
    const channels = agent.figures().channels as readonly unknown[] as readonly Channel[]
    for (const content of [...contents]) {
      const bytes = await this.#disk.readFile(content.path)
      for (const [index, channel] of channels.entries()) {
        const acceptedEnd = this.#acceptedEnd(channel, content, bytes)
        for (const { line, end } of content.lines) {
          if (end <= acceptedEnd) this.#ledger.accept(index, line)
        }
      }
    }
  }

  /** Called before a file gets a name that does not match. Waits for no event. */
  async leaves(agent: Agent, content: Content): Promise<void> {
    const channels = agent.figures().channels as readonly unknown[] as readonly Channel[]
    const bytes = await this.#disk.readFile(content.path)
    const isBegun = channels.some((channel) => this.#acceptedEnd(channel, content, bytes) > 0)
    const whole = content.lines.filter(({ end }) => end <= content.sizeBytes)
    if (isBegun) this.#ledger.begin(whole.map(({ line }) => line))
  }

  /** Up to where a channel has accepted the content; 0 if it has no position in it. */
  #acceptedEnd(channel: Channel, { inode }: Content, bytes: Buffer | undefined): number {
    const shown = { device: 1, inode: this.#inodes.shown(inode) }
    const position = channel.lastPosition('r1', shown)
    if (position === undefined || bytes === undefined || position.end > bytes.length) return 0
    const { lengthBytes, crc } = position.fingerprint
    // A position in content that is no longer there says nothing about this one.
    return crc32c(bytes, position.end - lengthBytes, position.end) === crc ? position.end : 0
  }
}
