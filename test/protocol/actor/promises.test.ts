// The guarantees of actor.ts under random interleavings: senders that wait or do not, handlers that
// are quick, slow or fail, restarts in between. A plan is data, so a failing one shrinks.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ActorRef, Behavior } from '../../../protocol/actor/actor.ts'
import { restart } from '../../../protocol/actor/supervision.ts'
import { sleep } from '../../../protocol/runtime/time/clock.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { type Stage, stage } from './harness.ts'

interface Send {
  /** Pause of the sender before the send; 0 sends in the same turn as the previous message. */
  readonly pauseMs: number
  readonly isAwaited: boolean
  /** Duration of handling the message; 0 is synchronous handling. */
  readonly handlingMs: number
  readonly fails: boolean
}

interface Message extends Send {
  readonly sender: number
  readonly number: number
}

const send: fc.Arbitrary<Send> = fc.record({
  pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
  isAwaited: fc.boolean(),
  handlingMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
  fails: fc.nat({ max: 3 }).map((one) => one === 0),
})
const senders = fc.array(fc.array(send, { maxLength: 25 }), { minLength: 1, maxLength: 4 })
const capacity = fc.integer({ min: 1, max: 6 })
const unlimited = { minBackoffMs: 3, maxBackoffMs: 3, maxRestarts: 1_000 }

/** Records the messages that one actor handled, for the check against the plan. */
class Witness {
  readonly handled: Message[] = []
  readonly failed: Message[] = []
  #isBusy = false
  /** Messages whose handling has failed once; a retry succeeds. */
  readonly #failedOnce = new Set<Message>()

  behavior(scene: Stage): Behavior<Message> {
    return {
      receive: (message) => {
        expect(this.#isBusy).toBe(false)
        if (message.handlingMs === 0) return this.#finish(message)
        this.#isBusy = true
        return sleep(scene.clock, message.handlingMs).then(() => {
          this.#isBusy = false
          this.#finish(message)
        })
      },
    }
  }

  #finish(message: Message): void {
    if (message.fails && !this.#failedOnce.has(message)) {
      this.#failedOnce.add(message)
      this.failed.push(message)
      throw new Error('planned')
    }
    this.handled.push(message)
  }

  of(sender: number): number[] {
    return this.handled.filter((message) => message.sender === sender).map(({ number }) => number)
  }
}

/** Runs all senders of a plan against one actor until no timer is left. */
async function play(scene: Stage, actor: ActorRef<Message>, plan: readonly Send[][]) {
  const run = async (sends: readonly Send[], sender: number) => {
    const tells: Promise<void>[] = []
    for (const [number, each] of sends.entries()) {
      if (each.pauseMs > 0) await sleep(scene.clock, each.pauseMs)
      const told = actor.tell({ ...each, sender, number })
      if (each.isAwaited) await told
      else tells.push(told)
    }
    await Promise.all(tells)
  }
  const all = Promise.all(plan.map(run))
  await quiet(scene)
  await all
}

/** Lets time pass until no timer is left. */
async function quiet(scene: Stage): Promise<void> {
  await settle()
  while (scene.clock.pendingTimers > 0)
    await scene.clock.advanceAndSettle(scene.clock.nextTimerInMs!)
}

const numbers = (sends: readonly Send[], keep: (each: Send) => boolean) =>
  [...sends.keys()].filter((number) => keep(sends[number]!))

describe('whatever the interleaving', () => {
  it('messages of a sender are handled in order and once; a crash loses only its own', async () => {
    await fc.assert(
      fc.asyncProperty(senders, capacity, async (plan, mailboxCapacity) => {
        const scene = stage()
        const witness = new Witness()
        const supervision = restart(unlimited)
        const actor = scene.system.spawn('a', () => witness.behavior(scene), {
          mailboxCapacity,
          supervision,
        })
        await play(scene, actor, plan)
        plan.forEach((sends, sender) => {
          expect(witness.of(sender)).toEqual(numbers(sends, (each) => !each.fails))
        })
        expect(scene.deadLetters.map(({ message }) => message)).toEqual(witness.failed)
        await scene.system.shutdown()
      }),
      { numRuns: 60 },
    )
  })

  it('a stop handles messages in order up to some point, and reports all others as dead letters', async () => {
    const calm = senders.map((plan) =>
      plan.map((sends) => sends.map((s) => ({ ...s, fails: false }))),
    )
    await fc.assert(
      fc.asyncProperty(calm, capacity, fc.nat({ max: 60 }), async (plan, mailboxCapacity, atMs) => {
        const scene = stage()
        const witness = new Witness()
        const actor = scene.system.spawn('a', () => witness.behavior(scene), { mailboxCapacity })
        const playing = play(scene, actor, plan)
        const stopping = sleep(scene.clock, atMs).then(() => scene.system.stop(actor))
        await Promise.all([playing, stopping])
        plan.forEach((sends, sender) => {
          const late = scene.deadLetters.filter(
            ({ message }) => (message as Message).sender === sender,
          )
          const lost = late.map(({ message }) => (message as Message).number)
          expect([...witness.of(sender), ...lost]).toEqual([...sends.keys()])
        })
      }),
      { numRuns: 60 },
    )
  })

  it('a full mailbox holds no more than its capacity and lets senders wait', async () => {
    await fc.assert(
      fc.asyncProperty(
        capacity,
        fc.integer({ min: 1, max: 40 }),
        async (mailboxCapacity, count) => {
          const scene = stage()
          const { promise: opened, resolve: open } = Promise.withResolvers<void>()
          const actor = scene.system.spawn<number>('a', () => ({ receive: () => opened }), {
            mailboxCapacity,
          })
          await settle()
          let accepted = 0
          const tells = Array.from({ length: count }, (_, number) =>
            actor.tell(number).then(() => void accepted++),
          )
          await settle()
          // One message is being handled; its slot in the mailbox is used by the next one.
          expect(accepted).toBe(Math.min(count, mailboxCapacity + 1))
          open()
          await Promise.all(tells)
          expect(scene.deadLetters).toEqual([])
          await scene.system.shutdown()
        },
      ),
    )
  })
})
