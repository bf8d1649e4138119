// An agent stops within a bounded time even if a component hangs: it logs and abandons the
// component, and the others stop in order.

import { describe, expect, test } from 'vitest'
import { drive } from '../protocol/client/drive.ts'
import { AgentRig, tailToKafka } from './agentRig.ts'

const never = new Promise<never>(() => {})

/** Stops the rig's agent; returns the components that hung, and the duration by the clock. */
async function stopped(rig: AgentRig) {
  const startMs = rig.clock.monotonicMs()
  const hanging = await drive(rig.clock, rig.agent!.stop())
  rig.agent = undefined
  return { hanging, afterMs: rig.clock.monotonicMs() - startMs }
}

function errors(rig: AgentRig): string[] {
  return rig.logger.messages('error')
}

describe('an agent', () => {
  test('abandons a source whose file system hangs, and closes the rest', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    const list = rig.disk.list.bind(rig.disk)
    rig.disk.list = (path) => (path === '/logs' ? never : list(path))
    await rig.clock.advanceAndSettle(1000)
    expect(await stopped(rig)).toEqual({
      hanging: ['source r1'],
      afterMs: expect.closeTo(10_000, -3),
    })
    expect(errors(rig)).toEqual([
      'source r1 did not stop within 10000 ms: the agent stops without it',
    ])
    // The channel was closed: its directory is free for the next agent.
    rig.disk.list = list
    await rig.startAgent(tailToKafka())
    await rig.close()
  })

  test('abandons a channel whose disk hangs', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    const open = rig.disk.open.bind(rig.disk)
    let answers = true
    rig.disk.open = async (path, mode) => {
      const file = await open(path, mode)
      const close = file.close.bind(file)
      return Object.assign(file, {
        close: () => (answers || !path.startsWith('/agent/data') ? close() : never),
      })
    }
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    answers = false
    expect(await stopped(rig)).toEqual({
      hanging: ['channel c1'],
      afterMs: expect.closeTo(10_000, -3),
    })
    expect(errors(rig)).toEqual([
      'channel c1 did not stop within 10000 ms: the agent stops without it',
    ])
    await rig.close()
  })

  test('stops in bounded time although a command cannot be killed', async () => {
    const rig = new AgentRig()
    await rig.startAgent(
      `a1.sources = r1
      a1.channels = c1
      a1.sinks = k1
      a1.sources.r1.type = exec
      a1.sources.r1.command = x
      a1.sources.r1.channels = c1
      a1.channels.c1.type = memory
      a1.sinks.k1.type = null
      a1.sinks.k1.channel = c1`.replaceAll('      ', ''),
      {
        startProcess: () => ({
          output: { [Symbol.asyncIterator]: () => ({ next: () => never }) },
          errors: { [Symbol.asyncIterator]: () => ({ next: () => never }) },
          exit: never,
          kill: () => {},
        }),
      },
    )
    await rig.clock.advanceAndSettle(1000)
    // The source stops earlier than the agent's limit: its own deadlines are shorter.
    expect(await stopped(rig)).toEqual({ hanging: [], afterMs: expect.closeTo(3000, -3) })
    expect(errors(rig)).toEqual(['command of an exec source did not exit after SIGKILL'])
  })

  test('stops in bounded time although its broker accepts connections and never answers', async () => {
    const rig = new AgentRig()
    const server = await rig.network.listen({ host: 'broker', port: 9092 }, () => {})
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.clock.advanceAndSettle(3000)
    const { hanging, afterMs } = await stopped(rig)
    expect(afterMs).toBeLessThan(15_000)
    expect(hanging).toEqual([])
    await server.close()
  })
})
