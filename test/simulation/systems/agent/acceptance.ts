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
      const inode = this.#inodes.shown(content.inode)
      const bytes = await this.#disk.readFile(content.path)
      for (const [index, channel] of channels.entries()) {
        const position = channel.lastPosition('r1', { device: 1, inode })
        if (position === undefined || bytes === undefined || position.end > bytes.length) continue
        const { lengthBytes, crc } = position.fingerprint
        // A position in content that is no longer there says nothing about this one.
        if (crc32c(bytes, position.end - lengthBytes, position.end) !== crc) continue
        for (const { line, end } of content.lines) {
          if (end <= position.end) this.#ledger.accept(index, line)
        }
      }
    }
  }
}
