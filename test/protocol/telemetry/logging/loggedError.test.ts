import { describe, expect, it } from 'vitest'
import { loggedError } from '../../../../protocol/telemetry/logging/loggedError.ts'
import { pinoLogger } from '../../../../protocol/telemetry/logging/logger.ts'

function coded(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code })
}

describe('loggedError', () => {
  it('an operational failure has its code and no stack', () => {
    expect(loggedError(coded('CHANNEL_FULL', 'the channel is full'))).toEqual({
      type: 'Error',
      code: 'CHANNEL_FULL',
      message: 'the channel is full',
    })
  })

  it('a message that repeats its cause is not repeated', () => {
    const refused = coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:9092')
    const error = coded('UNREACHABLE', `no broker answers: ${refused.message}`, refused)
    expect(loggedError(error)).toEqual({
      type: 'Error',
      code: 'UNREACHABLE',
      message: 'no broker answers: connect ECONNREFUSED 127.0.0.1:9092',
    })
    expect(loggedError(coded('A', 'outer', coded('B', 'inner')))).toMatchObject({
      message: 'outer: inner',
    })
  })

  it('a bug keeps its stack frames and those of its causes, without messages', () => {
    const error = new TypeError('two\nlines', { cause: new RangeError('inner') })
    const logged = loggedError(error) as { stack: string }
    expect(logged).toMatchObject({ type: 'TypeError', message: 'two\nlines: inner' })
    expect(logged.stack).toMatch(/^at .*loggedError\.test\.ts/)
    expect(logged.stack).toMatch(/caused by:\nat .*loggedError\.test\.ts/)
    expect(logged.stack).not.toMatch(/inner|lines/)
  })

  it('the frames of a bug below an operational failure are kept', () => {
    const logged = loggedError(coded('JOB', 'the job failed', new TypeError('x is undefined')))
    expect(logged).toMatchObject({ code: 'JOB', message: 'the job failed: x is undefined' })
    expect((logged as { stack: string }).stack).toMatch(/^at /)
  })

  it('a broken invariant keeps its stack frames although it has a code', () => {
    expect(loggedError(coded('ASSERTION_FAILED', 'x'))).toHaveProperty('stack')
    expect(loggedError(coded('ERR_INVALID_ARG_TYPE', 'x'))).toHaveProperty('stack')
  })

  it('keeps other fields, and terminates on circular causes', () => {
    const error = coded('A', 'a') as Error & { path: string; cause: unknown }
    error.path = '/data'
    error.cause = coded('B', 'b', error)
    expect(loggedError(error)).toEqual({ type: 'Error', code: 'A', message: 'a: b', path: '/data' })
    expect(loggedError('text')).toBe('text')
  })

  it.each(['error', 'err', 'reason'])('is how a logger writes an Error under %s', (name) => {
    let line = ''
    const write = (text: string) => {
      line = text
    }
    pinoLogger('info', { write })
      .child({ topic: 't' })
      .error({ [name]: coded('A', 'b') }, 'failed')
    expect(JSON.parse(line)).toMatchObject({
      topic: 't',
      [name]: { type: 'Error', code: 'A', message: 'b' },
    })
    expect(JSON.parse(line)[name]).not.toHaveProperty('stack')
  })
})
