// Log lines that cannot be written: no system error ends or blocks the program, and lost lines are
// counted, reported in the log once writing works again, and exposed as a metric.

import { describe, expect, it } from 'vitest'
import type { LogOutput } from '../../../../protocol/runtime/process/standardStreams.ts'
import { lostLine, pinoLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { exposeLostLines, LogLines } from '../../../../protocol/telemetry/logging/logLines.ts'
import { Metrics } from '../../../../protocol/telemetry/metrics/metrics.ts'

/** An output that fails with `code` while it is set, or accepts `mostAtOnce` bytes per call. */
class FailingOutput implements LogOutput {
  code: string | undefined
  mostAtOnce = Number.POSITIVE_INFINITY
  text = ''
  calls = 0
  pausedMs = 0
  onPause: () => void = () => {}
  #retries: (() => void)[] = []
  #ends: (() => void)[] = []

  write(bytes: Uint8Array): number {
    this.calls++
    if (this.code !== undefined) {
      throw Object.assign(new Error(`${this.code}: write`), { code: this.code })
    }
    const taken = bytes.subarray(0, this.mostAtOnce)
    this.text += Buffer.from(taken).toString()
    return taken.length
  }
  later(_delayMs: number, callback: () => void): void {
    this.#retries.push(callback)
  }
  atEnd(callback: () => void): void {
    this.#ends.push(callback)
  }
  pause(ms: number): void {
    this.pausedMs += ms
    this.onPause()
  }

  get waitingRetries(): number {
    return this.#retries.length
  }
  retry(): void {
    for (const callback of this.#retries.splice(0)) callback()
  }
  end(): void {
    for (const callback of this.#ends) callback()
  }
}

const plainLost = (count: number, reason: string) => `lost ${count} ${reason}\n`

function linesTo(output: LogOutput, maxPendingBytes?: number): LogLines {
  const bound = maxPendingBytes === undefined ? {} : { maxPendingBytes }
  return new LogLines({ output, lostLine: plainLost, ...bound })
}

describe('LogLines', () => {
  it('writes a line at once', () => {
    const output = new FailingOutput()
    linesTo(output).write('one\n')
    expect(output).toMatchObject({ text: 'one\n', calls: 1, waitingRetries: 0 })
  })

  it.each(['EIO', 'ENOSPC', 'EPIPE', 'EAGAIN'])(
    '%s at any write neither throws nor waits, and loses nothing that fits the backlog',
    (code) => {
      for (let failing = 0; failing < 4; failing++) {
        const output = new FailingOutput()
        const lines = linesTo(output)
        for (let line = 0; line < 4; line++) {
          output.code = line === failing ? code : undefined
          lines.write(`${line}\n`)
        }
        output.code = undefined
        output.retry()
        expect(output.text).toBe('0\n1\n2\n3\n')
        expect(output.pausedMs).toBe(0)
        expect(lines.lostTotal).toBe(0)
      }
    },
  )

  it.each(['EIO', 'ENOSPC', 'EPIPE', 'EAGAIN'])(
    '%s for long: the backlog stays within its bound, and lost lines are counted and reported',
    (code) => {
      const output = new FailingOutput()
      const lines = linesTo(output, 10)
      output.code = code
      for (let line = 0; line < 1000; line++) lines.write('12345\n')
      expect(lines.pendingBytes).toBeLessThanOrEqual(10)
      expect(lines.lostTotal).toBe(999)
      expect(output.waitingRetries).toBe(1)
      output.code = undefined
      lines.write('after\n')
      expect(output.text).toBe(`12345\nlost 999 ${code}\nafter\n`)
      lines.write('again\n')
      expect(output.text).toBe(`12345\nlost 999 ${code}\nafter\nagain\n`)
    },
  )

  it('reports lost lines without waiting for the next line', () => {
    const output = new FailingOutput()
    const lines = linesTo(output, 10)
    output.code = 'ENOSPC'
    for (let line = 0; line < 3; line++) lines.write('12345\n')
    output.retry()
    output.code = undefined
    output.retry()
    expect(output.text).toBe('12345\nlost 2 ENOSPC\n')
  })

  it('continues within a line that was partly written', () => {
    const output = new FailingOutput()
    const lines = linesTo(output)
    output.mostAtOnce = 3
    lines.write('a long line\n')
    lines.write('another\n')
    expect(output.text).toBe('a long line\nanother\n')
  })

  it('waits a bounded time for a slow reader when the process ends, and never otherwise', () => {
    const output = new FailingOutput()
    const lines = linesTo(output)
    output.code = 'EAGAIN'
    lines.write('why it ends\n')
    output.end()
    expect(output.pausedMs).toBeGreaterThan(0)
    expect(output.pausedMs).toBeLessThan(1000)
    output.onPause = () => {
      output.code = undefined
    }
    output.end()
    expect(output.text).toBe('why it ends\n')

    const full = new FailingOutput()
    full.code = 'ENOSPC'
    linesTo(full).write('lost\n')
    full.end()
    expect(full.pausedMs).toBe(0)
  })

  it('is the output of a logger', () => {
    const output = new FailingOutput()
    const lines = new LogLines({ output, lostLine, maxPendingBytes: 1 })
    const logger = pinoLogger('info', lines)
    output.code = 'ENOSPC'
    logger.info({}, 'kept')
    logger.info({}, 'lost')
    output.code = undefined
    logger.info({}, 'after')
    const said = output.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(said).toMatchObject([
      { msg: 'kept' },
      { level: 40, lost: 1, reason: 'ENOSPC', msg: expect.stringContaining('lines were lost') },
      { msg: 'after' },
    ])
  })

  it('shows how many lines were lost as a metric', async () => {
    const output = new FailingOutput()
    const lines = linesTo(output, 1)
    const metrics = new Metrics()
    exposeLostLines(metrics, lines)
    expect(await metrics.expose()).toContain('millrace_log_lines_lost_total 0')
    output.code = 'EIO'
    for (let line = 0; line < 3; line++) lines.write('line\n')
    expect(await metrics.expose()).toContain('millrace_log_lines_lost_total 2')
    expect(await metrics.expose()).toContain('millrace_log_lines_lost_total 2')
  })
})
