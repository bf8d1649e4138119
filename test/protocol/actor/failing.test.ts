// Actors that fail: every verdict, on a manual clock.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Behavior } from '../../../protocol/actor/actor.ts'
import { restart, type Supervision } from '../../../protocol/actor/supervision.ts'
import { AssertionError } from '../../../protocol/runtime/assert.ts'
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

/** Records all calls; fails on messages that begin with `crash`. */
function recorder(name: string, events: string[]): () => Behavior<string> {
  let incarnations = 0
  return () => {
    const id = `${name}${++incarnations}`
    return {
      started: () => void events.push(`${id} started`),
      receive(message) {
        events.push(`${id} ${message}`)
        if (message.startsWith('crash')) throw new Error(message)
      },
      stopping: () => void events.push(`${id} stopping`),
    }
  }
}

function quick(options: Partial<Supervision> = {}): Supervision {
  return restart({ minBackoffMs: 100, maxBackoffMs: 100, ...options })
}

describe('restart', () => {
  it('loses the message that failed and keeps the rest', async () => {
    const events: string[] = []
    const actor = scene.system.spawn('a', recorder('a', events), { supervision: quick() })
    for (const message of ['one', 'crash', 'two', 'three']) await actor.tell(message)
    await scene.clock.advanceAndSettle(99)
    expect(events).toEqual(['a1 started', 'a1 one', 'a1 crash', 'a1 stopping'])
    await scene.clock.advanceAndSettle(1)
    expect(events.slice(4)).toEqual(['a2 started', 'a2 two', 'a2 three'])
    expect(scene.deadLetters).toEqual([{ path: '/a', message: 'crash', reason: 'failed' }])
    const figures = await scene.metrics.expose()
    expect(figures).toContain('millrace_actor_failures_total 1')
    expect(figures).toContain('millrace_actor_restarts_total 1')
  })

  it('is logged once per cause while failures last, and once when the actor works again', async () => {
    const lines = () => scene.logger.lines.map(({ level, message }) => `${level}: ${message}`)
    const failed = 'warn: an actor failed and will be restarted'
    const supervision = quick({ maxRestarts: 1_000 })
    const actor = scene.system.spawn('a', recorder('a', []), { supervision })
    for (let time = 0; time < 20; time++) {
      await actor.tell(`crash ${time}`)
      await scene.clock.advanceAndSettle(100)
      await actor.tell('goes well')
    }
    await scene.clock.advanceAndSettle(0)
    expect(lines()).toEqual([failed])
    expect(scene.logger.lines[0]!.fields).toMatchObject({ actor: '/a', delayMs: 100 })
    await scene.clock.advanceAndSettle(15_000)
    await actor.tell('goes well')
    await scene.clock.advanceAndSettle(0)
    expect(lines()).toEqual([failed, 'info: an actor that failed works again'])
    expect(scene.logger.lines[1]!.fields).toMatchObject({ actor: '/a', times: 20, lastedMs: 2_000 })
    await actor.tell('crash again')
    await scene.clock.advanceAndSettle(100)
    expect(lines().slice(2)).toEqual([failed])
  })

  it('also follows a factory or a start that fails', async () => {
    let attempts = 0
    const handled: string[] = []
    const actor = scene.system.spawn<string>(
      'a',
      () => {
        if (++attempts === 1) throw new Error('factory')
        return {
          started() {
            if (attempts === 2) throw new Error('started')
          },
          receive: (message) => void handled.push(message),
        }
      },
      { supervision: quick() },
    )
    await actor.tell('kept')
    await scene.clock.advanceAndSettle(1_000)
    expect(handled).toEqual(['kept'])
    expect(attempts).toBe(3)
  })

  it('stops at its limit; the mailbox becomes dead letters', async () => {
    const events: string[] = []
    const supervision = quick({ maxRestarts: 2 })
    const actor = scene.system.spawn('a', recorder('a', events), { supervision })
    for (const message of ['crash1', 'crash2', 'crash3', 'left']) await actor.tell(message)
    await scene.clock.advanceAndSettle(10_000)
    expect(await scene.system.whenStopped(actor)).toMatchObject({
      reason: 'restartLimit',
      error: { message: 'crash3' },
    })
    expect(events.filter((event) => event.endsWith('started'))).toHaveLength(3)
    expect(scene.deadLetters.map(({ message, reason }) => `${message} ${reason}`)).toEqual([
      'crash1 failed',
      'crash2 failed',
      'crash3 failed',
      'left dropped',
    ])
  })

  it('ends at once when the actor is stopped during its backoff', async () => {
    const actor = scene.system.spawn('a', recorder('a', []), { supervision: quick() })
    await actor.tell('crash')
    await settle()
    await scene.system.stop(actor)
    expect(scene.clock.pendingTimers).toBe(0)
  })

  it('starts no incarnation before the one that failed has closed', async () => {
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>()
    const events: string[] = []
    const actor = scene.system.spawn<string>(
      'a',
      () => ({
        ...recorder('a', events)(),
        async stopping() {
          await gate
          events.push('closed')
        },
      }),
      { supervision: quick() },
    )
    await actor.tell('crash')
    await scene.clock.advanceAndSettle(1_000)
    expect(events).toEqual(['a1 started', 'a1 crash'])
    openGate()
    await settle()
    await scene.clock.advanceAndSettle(100)
    expect(events.slice(2)).toEqual(['closed', 'a1 started'])
  })
})

describe('a verdict by error', () => {
  const verdict = ({ message }: Error) => {
    if (message === 'crash: stop') return 'stop'
    return message === 'crash: escalate' ? 'escalate' : 'restart'
  }

  it('restarts the actor and keeps its mailbox', async () => {
    const events: string[] = []
    const supervision = quick({ verdict })
    const actor = scene.system.spawn('a', recorder('a', events), { supervision })
    for (const message of ['crash: restart', 'kept']) await actor.tell(message)
    await scene.clock.advanceAndSettle(100)
    expect(events.slice(-2)).toEqual(['a2 started', 'a2 kept'])
  })

  it('stops the actor, with the failure as the reason', async () => {
    const supervision = quick({ verdict })
    const actor = scene.system.spawn('a', recorder('a', []), { supervision })
    await actor.tell('crash: stop')
    const terminated = await scene.system.whenStopped(actor)
    expect(terminated).toMatchObject({ reason: 'failed', error: { message: 'crash: stop' } })
    expect(scene.escalated).toEqual([])
  })

  it('stops the actor and hands the failure to the owner of the system', async () => {
    const supervision = quick({ verdict })
    const actor = scene.system.spawn('a', recorder('a', []), { supervision })
    await actor.tell('crash: escalate')
    expect(await scene.system.whenStopped(actor)).toMatchObject({ reason: 'escalated' })
    expect(scene.escalated).toMatchObject([
      { code: 'ESCALATED', cause: { message: 'crash: escalate' } },
    ])
  })

  it('does not apply to a broken invariant, which always escalates', async () => {
    scene.system.spawn<never>('a', () => ({
      started() {
        throw new AssertionError('offsets went back')
      },
      receive() {},
    }))
    await settle()
    expect(scene.escalated).toMatchObject([{ cause: { code: 'ASSERTION_FAILED' } }])
  })
})
