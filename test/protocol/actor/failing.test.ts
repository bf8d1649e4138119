// Failures of actors under every supervision strategy, on a manual clock.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ActorContext, ActorRef, Behavior } from '../../../protocol/actor/actor.ts'
import {
  escalate,
  type RestartStrategy,
  restart,
  stop,
} from '../../../protocol/actor/supervision.ts'
import { AssertionError } from '../../../protocol/runtime/assert.ts'
import { settle } from '../../../protocol/runtime/manualClock.ts'
import { type Stage, stage } from './harness.ts'

let scene: Stage

beforeEach(() => {
  scene = stage()
})

afterEach(async () => {
  await scene.system.shutdown()
  expect(scene.clock.pendingTimers).toBe(0)
})

/** Notes all that happens to it; fails on messages that begin with `crash`. */
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

function quick(options: Partial<RestartStrategy> = {}): RestartStrategy {
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

  it('is logged once while it lasts, again for another cause, and when it ends', async () => {
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

  it('retries the message first when the strategy says so', async () => {
    let attempts = 0
    const handled: string[] = []
    const actor = scene.system.spawn<string>(
      'a',
      () => ({
        async receive(message) {
          if (message === 'hard' && ++attempts < 3) throw new Error('not yet')
          handled.push(message)
        },
      }),
      { supervision: quick({ failedMessage: 'retry' }) },
    )
    for (const message of ['hard', 'next']) await actor.tell(message)
    await scene.clock.advanceAndSettle(1_000)
    expect(handled).toEqual(['hard', 'next'])
    expect(attempts).toBe(3)
    expect(scene.deadLetters).toEqual([])
  })

  it('also follows a failed factory, start or watch', async () => {
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

  it('stops its children first, and spawns them again', async () => {
    const events: string[] = []
    const parent = scene.system.spawn<string>(
      'parent',
      () => ({
        started(context: ActorContext<string>) {
          context.spawn('child', recorder('child', events))
        },
        receive() {
          throw new Error('crash')
        },
      }),
      { supervision: quick() },
    )
    await settle()
    await parent.tell('crash')
    await scene.clock.advanceAndSettle(1_000)
    expect(events).toEqual(['child1 started', 'child1 stopping', 'child1 started'])
  })

  it('stops at its limit, notifies watchers, and turns the mailbox into dead letters', async () => {
    const heard: unknown[] = []
    const events: string[] = []
    const supervision = quick({ maxRestarts: 2 })
    const actor = scene.system.spawn('a', recorder('a', events), { supervision })
    scene.system.spawn<never>('watcher', () => ({
      started: (context) => context.watch(actor),
      receive() {},
      onTerminated: ({ ref, reason, error }) => void heard.push([ref.path, reason, error?.message]),
    }))
    for (const message of ['crash1', 'crash2', 'crash3', 'left']) await actor.tell(message)
    await scene.clock.advanceAndSettle(10_000)
    expect(heard).toEqual([['/a', 'restartLimit', 'crash3']])
    expect(events.filter((event) => event.endsWith('started'))).toHaveLength(3)
    expect(scene.deadLetters.map(({ message, reason }) => `${message} ${reason}`)).toEqual([
      'crash1 failed',
      'crash2 failed',
      'crash3 failed',
      'left dropped',
    ])
  })

  it('ends immediately when the actor is stopped during its backoff', async () => {
    const actor = scene.system.spawn('a', recorder('a', []), { supervision: quick() })
    await actor.tell('crash')
    await settle()
    await scene.system.stop(actor)
    expect(scene.clock.pendingTimers).toBe(0)
  })

  it('never lets two incarnations overlap', async () => {
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>()
    const running = new Set<number>()
    let most = 0
    let incarnation = 0
    const siblings = ['a', 'b'].map((name) =>
      scene.system.spawn<string>(
        name,
        () => {
          const id = ++incarnation
          return {
            async receive(message) {
              if (message === 'crash') throw new Error('crash')
              running.add(id)
              most = Math.max(most, running.size)
              await gate
              running.delete(id)
            },
          }
        },
        { supervision: quick({ scope: 'all-for-one' }) },
      ),
    )
    await siblings[1]!.tell('long')
    await siblings[1]!.tell('long')
    await siblings[0]!.tell('crash')
    await settle()
    await scene.clock.advanceAndSettle(1_000)
    openGate()
    await settle()
    expect(most).toBe(1)
  })
})

describe('all-for-one', () => {
  it('restarts all siblings when all have ended, in the order of spawning, and keeps mailboxes', async () => {
    const events: string[] = []
    const supervision = quick({ scope: 'all-for-one' })
    const actors = ['a', 'b', 'c'].map((name) =>
      scene.system.spawn(name, recorder(name, events), { supervision }),
    )
    await settle()
    events.length = 0
    await actors[1]!.tell('crash')
    await settle()
    await actors[0]!.tell('meanwhile')
    await scene.clock.advanceAndSettle(100)
    expect(events.slice(0, 1)).toEqual(['b1 crash'])
    expect(events.slice(1, 4).sort()).toEqual(['a1 stopping', 'b1 stopping', 'c1 stopping'])
    expect(events.slice(4)).toEqual(['a2 started', 'a2 meanwhile', 'b2 started', 'c2 started'])
  })

  it('stops all siblings at its limit', async () => {
    const supervision = quick({ scope: 'all-for-one', maxRestarts: 0 })
    const actors = ['a', 'b', 'c'].map((name) =>
      scene.system.spawn(name, recorder(name, []), { supervision }),
    )
    await actors[2]!.tell('crash')
    const reasons = await Promise.all(actors.map((actor) => scene.system.whenStopped(actor)))
    expect(reasons.map(({ reason }) => reason)).toEqual(Array(3).fill('restartLimit'))
  })
})

describe('stop and escalate', () => {
  it('stops the actor and reports the cause', async () => {
    const actor = scene.system.spawn('a', recorder('a', []), { supervision: stop() })
    await actor.tell('crash')
    const terminated = await scene.system.whenStopped(actor)
    expect(terminated).toMatchObject({ reason: 'failed', error: { message: 'crash' } })
  })

  it('fails the parent, whose strategy decides', async () => {
    const events: string[] = []
    let child: ActorRef<string> | undefined
    const parent = scene.system.spawn<string>(
      'parent',
      () => ({
        started(context) {
          events.push('parent started')
          child = context.spawn('child', recorder('child', events), { supervision: escalate() })
        },
        receive: (message) => void events.push(`parent ${message}`),
        stopping: () => void events.push('parent stopping'),
      }),
      { supervision: quick() },
    )
    await settle()
    await child!.tell('crash')
    await settle()
    await parent.tell('kept')
    await scene.clock.advanceAndSettle(100)
    expect(events).toEqual([
      'parent started',
      'child1 started',
      'child1 crash',
      'child1 stopping',
      'parent stopping',
      'parent started',
      'parent kept',
      'child1 started',
    ])
    expect(scene.escalated).toEqual([])
  })

  it('reaches the failure hook from the root', async () => {
    const actor = scene.system.spawn('a', recorder('a', []), { supervision: escalate() })
    await actor.tell('crash')
    await settle()
    expect(scene.escalated).toMatchObject([{ code: 'ESCALATED', cause: { message: 'crash' } }])
  })

  it('escalates a broken invariant to the root, whatever the strategy', async () => {
    scene.system.spawn<never>('parent', () => ({
      started(context: ActorContext<never>) {
        context.spawn<never>('child', () => ({
          started() {
            throw new AssertionError('offsets went back')
          },
          receive() {},
        }))
      },
      receive() {},
    }))
    await settle()
    expect(scene.escalated).toMatchObject([{ cause: { code: 'ASSERTION_FAILED' } }])
  })
})
