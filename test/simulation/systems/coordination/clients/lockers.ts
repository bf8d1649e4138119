// Holders of a lock, which write with its fencing token to something outside, recorded for the
// linearizability checker together with the expiries of their sessions.

import type { Session } from '../../../../../protocol/coordination/coordination.ts'
import { type HeldLock, Lock } from '../../../../../protocol/coordination/recipes/lock.ts'
import { type Client, isExpired } from './client.ts'

export async function lockers(client: Client): Promise<void> {
  while (!client.isOver) {
    const session = await client.openSession()
    if (session === undefined) continue
    try {
      for (let left = 3; left > 0 && !session.hasEnded && !client.isOver; left--) {
        await acquire(client, session)
        await client.think()
      }
    } catch (error) {
      if (!isExpired(error)) throw error
    }
    await client.closeSession(session)
    await client.think()
  }
}

async function acquire(client: Client, session: Session): Promise<void> {
  const { shared, member, clock, random } = client
  const { era } = shared
  const path = `/lock-${era}`
  const isRecorded = era % 2 === 0
  if (isRecorded) shared.lockSessions.set(session.id, path)
  const input = { kind: 'acquire', lock: path, session: session.id } as const
  const call = isRecorded ? shared.locks.begin(client.name, input) : undefined
  const giveUp = new AbortController()
  const timer = clock.setTimer(2000 + random.below(8000), () => giveUp.abort(new GivenUp()))
  let held: HeldLock
  try {
    const lock = new Lock({ coordination: member, clock, random, path })
    held = await lock.acquire(session, giveUp.signal)
  } catch (error) {
    // The place in the queue is given up some time later: it may still have been the first one.
    if (!(error instanceof GivenUp)) throw error
    shared.reached('lock: given up in the queue')
    return await client.closeSession(session)
  } finally {
    timer.cancel()
  }
  if (shared.era === era) call?.ok(held.fencingToken)
  await hold(client, session, held, era)
}

async function hold(client: Client, session: Session, held: HeldLock, era: number): Promise<void> {
  const { shared, node, random } = client
  const lock = `/lock-${era}`
  node.locks.set(held, lock)
  for (let left = random.below(5); left > 0 && held.isHeld && !client.isOver; left--) {
    write(client, held, lock, era)
    await client.think()
  }
  const input = { kind: 'release', lock, session: session.id } as const
  const call =
    shared.era === era && era % 2 === 0 ? shared.locks.begin(client.name, input) : undefined
  await held.release()
  // Whether it was still held is not known.
  if (shared.era === era) call?.ok(undefined as never)
  node.locks.delete(held)
}

function write({ shared, name }: Client, held: HeldLock, lock: string, era: number): void {
  if (shared.era !== era || era % 2 === 1) return
  const call = shared.locks.begin(name, { kind: 'write', lock, token: held.fencingToken })
  call.ok(true)
}

class GivenUp extends Error {}
