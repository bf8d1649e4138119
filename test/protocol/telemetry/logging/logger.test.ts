import { describe, expect, it } from 'vitest'
import { pinoLogger, silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

function captured(): { lines: Record<string, unknown>[]; write(line: string): void } {
  const lines: Record<string, unknown>[] = []
  return { lines, write: (line) => void lines.push(JSON.parse(line)) }
}

describe('pinoLogger', () => {
  it('writes fields, message and bindings as one line of JSON', () => {
    const destination = captured()
    pinoLogger('info', destination).child({ partition: 3 }).warn({ offset: 42 }, 'cut a torn tail')
    expect(destination.lines).toMatchObject([{ partition: 3, offset: 42, msg: 'cut a torn tail' }])
  })

  it('does not log below its level', () => {
    const destination = captured()
    const logger = pinoLogger('warn', destination)
    logger.debug({}, 'no')
    logger.info({}, 'no')
    logger.error({}, 'yes')
    expect(destination.lines.map(({ msg }) => msg)).toEqual(['yes'])
  })

  it('writes out an error with its stack and its causes', () => {
    const destination = captured()
    const error = new Error('outer', { cause: new Error('inner') })
    pinoLogger('info', destination).error({ error }, 'failed')
    const [line] = destination.lines
    expect(line).toMatchObject({ error: { message: 'outer: inner' } })
    expect(JSON.stringify(line)).toContain('logger.test.ts')
  })
})

describe('MemoryLogger', () => {
  it('shares its lines with its children', () => {
    const logger = new MemoryLogger({ broker: 1 })
    logger.child({ topic: 't' }).info({ partition: 0 }, 'opened')
    expect(logger.lines).toEqual([
      { level: 'info', fields: { broker: 1, topic: 't', partition: 0 }, message: 'opened' },
    ])
    expect(logger.messages('info')).toEqual(['opened'])
    expect(logger.messages('warn')).toEqual([])
  })
})

describe('silentLogger', () => {
  it('has silent children', () => {
    expect(silentLogger.child({ any: 'thing' })).toBe(silentLogger)
  })
})
