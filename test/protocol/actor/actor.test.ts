import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ActorContext, ActorRef, ReplyTo } from '../../../protocol/actor/actor.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { type Stage, stage } from './harness.ts'

let scene: Stage

beforeEach(() => {
  scene = stage()
})

afterEach(async () => {
  await scene.system.shutdown()
  expect(scene.clock.pendingTimers).toBe(0)
})

/** A promise and the function that resolves it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: () => resolve() }
}

describe('tell', () => {
  it('waits while the mailbox is full, in order, and never drops', async () => {
    const first = gate()
    const handled: number[] = []
    const slow = scene.system.spawn<number>(
      'slow',
      () => ({
        async receive(message) {
          if (message === 0) await first.opened
          handled.push(message)
        },
      }),
      { mailboxCapacity: 2 },
    )
    await slow.tell(0)
    await settle()
    const accepted: number[] = []
    for (let message = 1; message <= 6; message++) {
      void slow.tell(message).then(() => accepted.push(message))
    }
    expect(slow.tryTell(7)).toBe(false)
    await settle()
    expect(accepted).toEqual([1, 2])
    first.open()
    await settle()
    expect(accepted).toEqual([1, 2, 3, 4, 5, 6])
    expect(handled).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(await scene.metrics.expose()).toContain('millrace_actor_mailbox_waits_total 4')
  })

  it('refuses a sender that never awaits, with an error of its own', async () => {
    const never = gate()
    const stuck = scene.system.spawn<number>('stuck', () => ({ receive: () => never.opened }), {
      mailboxCapacity: 1,
    })
    const failures: unknown[] = []
    for (let message = 0; message < 20_000; message++) {
      stuck.tell(message).catch((error) => failures.push(error))
    }
    await settle()
    expect(failures[0]).toMatchObject({ code: 'MAILBOX_OVERRUN' })
    expect(failures.length).toBe(20_000 - 1 - 16_384)
    const stopped = scene.system.stop(stuck)
    never.open()
    await stopped
  })

  it('to a stopped actor is a dead letter', async () => {
    const gone = scene.system.spawn<string>('gone', () => ({ receive() {} }))
    await scene.system.stop(gone)
    await gone.tell('too late')
    expect(gone.tryTell('kept by the sender')).toBe(false)
    expect(scene.deadLetters).toEqual([{ path: '/gone', message: 'too late', reason: 'stopped' }])
    expect(await scene.metrics.expose()).toContain(
      'millrace_actor_dead_letters_total{reason="stopped"} 1',
    )
  })

  it('lets other actors and timers run while two actors keep each other busy', async () => {
    let rallies = 0
    const make = (name: string, other: () => ActorRef<string>) =>
      scene.system.spawn<string>(name, () => ({
        receive(ball) {
          rallies++
          other().tryTell(ball)
        },
      }))
    const left: ActorRef<string> = make('left', () => right)
    const right: ActorRef<string> = make('right', () => left)
    let bystander = 0
    const third = scene.system.spawn<string>('third', () => ({ receive: () => void bystander++ }))
    await left.tell('ball')
    await settle()
    // The two actors send each other messages for ever, yet `settle` returned: they yield the
    // thread.
    expect(rallies).toBeGreaterThan(1_000)
    expect(scene.clock.pendingTimers).toBe(1)
    await third.tell('hello')
    await scene.clock.advanceAndSettle(1)
    expect(bystander).toBe(1)
    const stopped = [left, right].map((player) => scene.system.stop(player))
    await scene.clock.advanceAndSettle(1)
    await Promise.all(stopped)
  })
})

describe('ask', () => {
  type Question = { readonly number: number; readonly reply: ReplyTo<number> }

  it('resolves with the reply, or rejects with the refusal', async () => {
    const doubler = scene.system.spawn<Question>('doubler', () => ({
      receive({ number, reply }) {
        if (number < 0) reply.refuse(new RangeError('negative'))
        else reply.reply(number * 2)
      },
    }))
    expect(await doubler.ask<number>((reply) => ({ number: 21, reply }), 100)).toBe(42)
    await expect(doubler.ask<number>((reply) => ({ number: -1, reply }), 100)).rejects.toThrow(
      RangeError,
    )
    expect(scene.clock.pendingTimers).toBe(0)
  })

  it('rejects at the deadline, also when the mailbox never had room', async () => {
    const never = gate()
    const mute = scene.system.spawn<Question>('mute', () => ({ receive: () => never.opened }), {
      mailboxCapacity: 1,
    })
    const asks = [1, 2, 3].map((number) => mute.ask<number>((reply) => ({ number, reply }), 50))
    const outcomes = Promise.allSettled(asks)
    await scene.clock.advanceAndSettle(50)
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        reason: { code: 'ASK_TIMEOUT', path: '/mute', timeoutMs: 50 },
      })
    }
    never.open()
  })

  it('rejects at once when the message is lost', async () => {
    const failing = scene.system.spawn<Question>('failing', () => ({
      receive() {
        throw new Error('no such row')
      },
    }))
    const lost = failing.ask<number>((reply) => ({ number: 1, reply }), 60_000)
    await expect(lost).rejects.toMatchObject({
      code: 'MESSAGE_LOST',
      cause: { message: 'no such row' },
    })
    await scene.system.stop(failing)
    const late = failing.ask<number>((reply) => ({ number: 1, reply }), 60_000)
    await expect(late).rejects.toMatchObject({ code: 'MESSAGE_LOST' })
  })
})

describe('timers', () => {
  type Tick = 'once' | 'again' | 'replaced'

  it('fire once or periodically, ahead of a full mailbox, and never accumulate', async () => {
    const seen: string[] = []
    let hold: Promise<void> | undefined
    const actor = scene.system.spawn<Tick | 'block'>('timed', () => ({
      started(context) {
        context.setTimer('a', 15, 'once')
        context.setPeriodicTimer('b', 10, 'again')
        context.setTimer('c', 5, 'replaced')
        context.setTimer('c', 1_000, 'replaced')
      },
      async receive(message) {
        seen.push(message)
        if (message === 'block') await hold
      },
    }))
    await scene.clock.advanceAndSettle(20)
    expect(seen).toEqual(['again', 'once', 'again'])
    const blocked = gate()
    hold = blocked.opened
    await actor.tell('block')
    await actor.tell('block')
    await scene.clock.advanceAndSettle(50)
    blocked.open()
    await settle()
    expect(seen.slice(3)).toEqual(['block', 'again', 'block'])
  })

  it('end with their incarnation', async () => {
    let incarnation = 0
    const seen: string[] = []
    const actor = scene.system.spawn<string>('timed', () => {
      const number = ++incarnation
      return {
        started(context) {
          context.setTimer('late', 150, `of ${number}`)
        },
        receive(message) {
          if (message === 'crash') throw new Error('crash')
          seen.push(message)
        },
      }
    })
    await scene.clock.advanceAndSettle(100)
    await actor.tell('crash')
    await scene.clock.advanceAndSettle(10_000)
    expect(seen).toEqual(['of 2'])
  })
})

describe('stopping', () => {
  it('runs concurrently when the system is shut down', async () => {
    const gates = [gate(), gate()]
    const closed: number[] = []
    for (const [at, { opened }] of gates.entries()) {
      scene.system.spawn<never>(`actor-${at}`, () => ({
        receive() {},
        async stopping() {
          await opened
          closed.push(at)
        },
      }))
    }
    await settle()
    const stopped = scene.system.shutdown()
    for (const at of [0, 1]) {
      gates[at]!.open()
      await settle()
      expect(closed).toHaveLength(at + 1)
    }
    await stopped
  })

  it('drops the mailbox after the message that is being handled', async () => {
    const start = gate()
    const handled: number[] = []
    const actor = scene.system.spawn<number>(
      'worker',
      () => ({
        async receive(message) {
          await start.opened
          handled.push(message)
        },
      }),
      { mailboxCapacity: 2 },
    )
    await actor.tell(0)
    await settle()
    const sent = [1, 2, 3, 4].map((message) => actor.tell(message))
    const stopped = scene.system.stop(actor)
    await actor.tell(5)
    start.open()
    await Promise.all([...sent, stopped])
    expect(handled).toEqual([0])
    expect(scene.deadLetters.map(({ message }) => message)).toEqual([1, 2, 3, 4, 5])
  })

  it('aborts the signal of a receive that waits', async () => {
    const reasons: string[] = []
    const actor = scene.system.spawn<string>('waiting', () => ({
      async receive(_message, { signal }) {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        reasons.push('gave up')
      },
    }))
    await actor.tell('wait')
    await settle()
    await scene.system.stop(actor)
    expect(reasons).toEqual(['gave up'])
  })

  it('ends the context of the incarnation', async () => {
    let leaked: ActorContext<string> | undefined
    const actor = scene.system.spawn<string>('leaky', () => ({
      started(context) {
        leaked = context
      },
      receive() {},
    }))
    await settle()
    await scene.system.stop(actor)
    expect(() => leaked!.setTimer('late', 1, 'never')).toThrow('/leaky has stopped')
  })
})

describe('names', () => {
  it('are unique among living actors and free again afterwards', async () => {
    const idle = () => ({ receive() {} })
    const one = scene.system.spawn('one', idle)
    expect(() => scene.system.spawn('one', idle)).toThrow('/one is still alive')
    expect(() => scene.system.spawn('a/b', idle)).toThrow('cannot be the name')
    await scene.system.stop(one)
    expect(scene.system.spawn('one', idle).path).toBe('/one')
  })
})

describe('metrics', () => {
  it('count living actors and queued messages', async () => {
    const never = gate()
    const actor = scene.system.spawn<number>('busy', () => ({ receive: () => never.opened }))
    for (let message = 0; message < 4; message++) await actor.tell(message)
    await settle()
    const text = await scene.metrics.expose()
    expect(text).toContain('millrace_actors{system="main"} 1')
    expect(text).toContain('millrace_actor_mailbox_messages{system="main"} 3')
    never.open()
  })
})
