// Members with a session each, over one log in memory, for tests of recipes.

import type { Coordination, Session } from '../../../../protocol/coordination/coordination.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { create, MemberWorld } from '../member/memberWorld.ts'

export interface Peer {
  readonly coordination: Coordination
  readonly session: Session
}

export class RecipeWorld extends MemberWorld {
  readonly random = seededRandom(2)

  async peer(name: string, timeoutMs = 6000): Promise<Peer> {
    const coordination = await this.open(name, { requestTimeoutMs: 2000 })
    const session = await this.until(coordination.openSession({ timeoutMs, name }))
    return { coordination, session }
  }

  async peers(count: number): Promise<Peer[]> {
    const peers: Peer[] = []
    for (let at = 0; at < count; at++) peers.push(await this.peer(`peer-${at}`))
    return peers
  }

  /** Creates the node, which has one above it, as a recipe does at its first use. */
  async prepare({ coordination }: Peer, path: string): Promise<void> {
    const paths = [path.slice(0, path.lastIndexOf('/')), path]
    await this.until(coordination.transact(paths.map((each) => create(each))))
  }

  /** Advances time until the condition holds. */
  async passUntil(condition: () => boolean, limitMs = 120_000): Promise<void> {
    for (let ms = 0; !condition(); ms += 50) {
      if (ms > limitMs) throw new Error(`the condition did not hold within ${limitMs} ms`)
      await this.pass(50)
    }
  }

  /** Neither hears of the log nor reaches it, until `reconnect`. */
  disconnect(name: string): void {
    this.server.setReachable(name, { toLog: false, fromLog: false })
  }

  /** Its requests have their effect, without an answer. */
  deafen(name: string): void {
    this.server.setReachable(name, { toLog: true, fromLog: false })
  }

  reconnect(name: string): void {
    this.server.setReachable(name, { toLog: true, fromLog: true })
  }
}

/** Whether the promise has settled by now. */
export async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = {}
  const first = await Promise.race([promise.catch(() => undefined), Promise.resolve(pending)])
  return first !== pending
}
