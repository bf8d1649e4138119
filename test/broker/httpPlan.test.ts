// Where a broker serves HTTP, by its command line and its configuration file together.

import { describe, expect, test } from 'vitest'
import { brokerConfig } from '../../broker/configuration/brokerOptions.ts'
import { parseBrokerConfig } from '../../broker/configuration/configurationFile.ts'
import { type HttpArguments, planHttp } from '../../broker/httpPlan.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'

function plan(args: HttpArguments, file = '', listeners: readonly Address[] = []) {
  const { values } = parseBrokerConfig(file, 'file')
  return planHttp(args, brokerConfig(values), new Set(Object.keys(values)), listeners)
}

describe('the console', () => {
  test.each<[string, HttpArguments, string, ReturnType<typeof plan>['console']]>([
    ['8080, or a free port, by default', {}, '', { port: 8080, isAsked: false }],
    ['a port of the file', {}, 'console.port=81', { port: 81, isAsked: true }],
    ['8080 of the file is requested', {}, 'console.port=8080', { port: 8080, isAsked: true }],
    [
      'a port of the command line takes precedence',
      { consolePort: 82 },
      'console.port=81',
      { port: 82, isAsked: true },
    ],
    ['a free port', { consolePort: 0 }, '', { port: 0, isAsked: true }],
    ['none', { console: false }, '', undefined],
    ['none, although the file has a port', { console: false }, 'console.port=81', undefined],
    ['none by the file', {}, 'console.enable=false', undefined],
    [
      'none by the file, although it has a port',
      {},
      'console.enable=false\nconsole.port=8',
      undefined,
    ],
    [
      'a port of the command line takes precedence over that',
      { consolePort: 82 },
      'console.enable=false',
      { port: 82, isAsked: true },
    ],
  ])('%s', (_name, args, file, expected) => {
    expect(plan(args, file).console).toEqual(expected)
  })

  test('contradicting options are reported', () => {
    expect(() => plan({ console: false, consolePort: 1 })).toThrow(
      expect.objectContaining({
        code: 'CONFIGURATION_INVALID',
        message: expect.stringContaining('--console-port and --no-console'),
      }),
    )
  })
})

describe('metrics for other hosts', () => {
  test.each<[string | undefined, string, ReturnType<typeof plan>['metrics']]>([
    [undefined, '', undefined],
    ['0.0.0.0:9404', '', { host: '0.0.0.0', port: 9404 }],
    ['[::]:9404', '', { host: '::', port: 9404 }],
    [undefined, 'http.metrics.listen=10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
    ['127.0.0.1:0', 'http.metrics.listen=10.0.0.1:1', { host: '127.0.0.1', port: 0 }],
  ])('%s and "%s"', (metricsListen, file, expected) => {
    expect(plan({ metricsListen }, file).metrics).toEqual(expected)
  })

  test.each(['9404', ':9404', 'host', 'host:', 'host:65536', 'host:-1', 'http://host:1', 'a b:1'])(
    '"%s" is not an address, and the message has an example',
    (metricsListen) => {
      expect(() => plan({ metricsListen })).toThrow(/--metrics-listen.*host:port, as in 0\.0\.0\.0/)
    },
  )
})

describe('ports that the broker uses itself', () => {
  test.each(['127.0.0.1', '0.0.0.0', '::'])(
    'with clients at %s:8080 the console takes a free port, unless 8080 was requested for it',
    (host) => {
      const listeners = [{ host, port: 8080 }]
      expect(plan({}, '', listeners).console).toEqual({ port: 0, isAsked: false })
      expect(() => plan({ consolePort: 8080 }, '', listeners)).toThrow(
        /console\.port \(--console-port\) is 127\.0\.0\.1:8080, which collides with .*:8080/,
      )
      expect(() => plan({}, 'console.port=8080', listeners)).toThrow(/its own port/)
      expect(plan({ console: false }, '', listeners).console).toBeUndefined()
    },
  )

  test('another address of this machine may use the same port', () => {
    const listeners = [{ host: '127.0.0.2', port: 8080 }]
    expect(plan({ consolePort: 8080 }, '', listeners).console).toEqual({
      port: 8080,
      isAsked: true,
    })
  })

  test('metrics collide with clients and with the console', () => {
    const listeners = [{ host: '127.0.0.1', port: 9092 }]
    expect(() => plan({ metricsListen: '0.0.0.0:9092' }, '', listeners)).toThrow(
      /http\.metrics\.listen \(--metrics-listen\) is 0\.0\.0\.0:9092, which collides with 127\.0\.0\.1:9092/,
    )
    expect(plan({ metricsListen: '0.0.0.0:8080' }).console).toEqual({ port: 0, isAsked: false })
    expect(() => plan({ metricsListen: '0.0.0.0:81', consolePort: 81 })).toThrow(/--console-port/)
    const free = plan({ metricsListen: '127.0.0.1:0', consolePort: 0 })
    expect(free).toMatchObject({ console: { port: 0 }, metrics: { port: 0 } })
  })
})
