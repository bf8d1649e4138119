// Which nats-servers are accepted, and how that is learned from real ones: in what they tell every
// client, the system account, and the monitoring endpoints.

import { afterEach, describe, expect, test } from 'vitest'
import { CoordinationError } from '../../../../../protocol/coordination/coordinationError.ts'
import { connectAccepted } from '../../../../../protocol/coordination/log/nats/acceptedLink.ts'
import {
  NatsLog,
  type NatsLogOptions,
} from '../../../../../protocol/coordination/log/nats/natsLog.ts'
import {
  judgeServers,
  type ServerChecks,
  type ServerFacts,
} from '../../../../../protocol/coordination/log/nats/natsServers.ts'
import type { NatsSettings } from '../../../../../protocol/coordination/log/nats/natsSettings.ts'
import { systemRandom } from '../../../../../protocol/runtime/random.ts'
import { systemClock } from '../../../../../protocol/runtime/time/clock.ts'
import { until } from '../../../../eventLoop.ts'
import {
  currentNatsServer,
  debianNatsServer,
  type NatsBinary,
} from '../../../../peers/natsBinary.ts'
import { NatsServers, type NatsServersOptions } from '../../../../peers/natsServers.ts'
import { StreamAdmin } from './streamAdmin.ts'

function server(version: string, facts: Partial<ServerFacts> = {}): ServerFacts {
  return {
    name: `n-${version}`,
    version,
    cluster: undefined,
    maxPayloadBytes: 1024 * 1024,
    hasJetStream: true,
    syncsAlways: undefined,
    ...facts,
  }
}

function cluster(version: string, facts: Partial<ServerFacts> = {}): ServerFacts[] {
  const common = { cluster: 'one', syncsAlways: true, ...facts }
  return ['a', 'b', 'c'].map((name) => server(version, { ...common, name }))
}

const judge = (servers: ServerFacts[], syncIsAlways = false) =>
  judgeServers(servers, { syncIsAlways })

describe('a server alone', () => {
  test('before 2.9 is refused', () => {
    expect(() => judge([server('2.8.4')])).toThrow(/too old/)
    expect(judge([server('2.9.0')]).replicas).toBe(1)
  })

  test('before 2.10 is accepted with a warning of what a loss of power can lose', () => {
    const { warnings } = judge([server('2.9.25')], true)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/once a minute.*loss of power can lose.*upgrade it/)
  })

  test('from 2.10 on is accepted without a warning only if it syncs each write', () => {
    expect(judge([server('2.12.1', { syncsAlways: true })]).warnings).toEqual([])
    expect(judge([server('2.12.1')], true).warnings).toEqual([])
    expect(judge([server('2.12.1')]).warnings[0]).toMatch(/every 2 minutes.*sync_interval: always/)
    expect(judge([server('2.12.1', { syncsAlways: false })]).warnings).toHaveLength(1)
  })

  test('of a version that lost streams is accepted with a warning', () => {
    const synced = { syncsAlways: true }
    expect(judge([server('2.10.22', synced)]).warnings[0]).toMatch(/lose whole streams/)
    expect(judge([server('2.10.23', synced)]).warnings).toEqual([])
  })

  test('without JetStream, or with small messages, is refused with what to set', () => {
    expect(() => judge([server('2.12.0', { hasJetStream: false })])).toThrow(/set "jetstream/)
    expect(() => judge([server('2.12.0', { maxPayloadBytes: 65536 })])).toThrow(/max_payload: 1MB/)
  })
})

describe('a cluster', () => {
  test('is accepted if every server is 2.12 or newer and syncs each write', () => {
    expect(judge(cluster('2.12.0'))).toEqual({ replicas: 3, warnings: [] })
    expect(judge(cluster('2.15.2')).replicas).toBe(3)
    expect(judge(cluster('3.0.0-RC.1')).replicas).toBe(3)
  })

  test('with one server before 2.12 is refused', () => {
    const [a, b, c] = cluster('2.15.2')
    expect(() => judge([a!, b!, { ...c!, version: '2.11.9' }], true)).toThrow(
      /c \(2\.11\.9\).*upgrade each server to 2\.12/,
    )
  })

  test('with one server that does not sync each write is refused, whatever is stated', () => {
    const [a, b, c] = cluster('2.15.2')
    expect(() => judge([a!, b!, { ...c!, syncsAlways: false }], true)).toThrow(
      /servers c do not sync.*set "jetstream \{ sync_interval: always \}"/,
    )
  })

  test('whose syncing cannot be seen is refused unless it is stated', () => {
    const servers = cluster('2.15.2', { syncsAlways: undefined })
    const settings = /coordination\.nats\.sync\.always=true/
    expect(() => judge(servers)).toThrow(settings)
    expect(judge(servers, true)).toEqual({ replicas: 3, warnings: [] })
  })
})

const users = `
accounts {
  $SYS { users: [{ user: system, password: secret }] }
  APP { jetstream: enabled, users: [{ user: app, password: secret }] }
}`
const app = { user: 'app', password: 'secret' }
const system = { user: 'system', password: 'secret' }

const current = await currentNatsServer()

describe('what real servers tell', () => {
  const closing: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const one of closing.splice(0).reverse()) await one.close()
  })

  async function start(options: NatsServersOptions): Promise<NatsServers> {
    const servers = await NatsServers.start(options)
    closing.push(servers)
    return servers
  }

  /** Warnings of the open log, which is closed again; rejects if the servers are refused. */
  async function open(
    settings: NatsSettings,
    checks: ServerChecks,
    more: Partial<NatsLogOptions> = {},
  ): Promise<string[]> {
    const warnings: string[] = []
    const options = {
      ...{ clock: systemClock, random: systemRandom(), checks, ...more },
      onWarning: (message: string) => warnings.push(message),
    }
    const { link, replicas } = await connectAccepted(settings, options)
    const log = new NatsLog(link, 'log', replicas, options)
    closing.push(log)
    await until(async () => {
      try {
        return (await log.load()).lastSequence === 0
      } catch (error) {
        if ((error as { code?: string }).code !== 'COORDINATION_UNAVAILABLE') throw error
        return false
      }
    })
    return warnings
  }

  const debian = debianNatsServer()
  test.skipIf(debian === undefined)(
    'Debian’s server alone is accepted with a warning',
    async () => {
      const servers = await start({ binary: debian!, count: 1, syncsAlways: false })
      const warnings = await open({ servers: servers.addresses }, {})
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(/n0 \(2\.\d+\.\d+\) syncs/)
    },
  )

  describe.skipIf(current === undefined)('current ones', () => {
    const binary = current as NatsBinary
    const monitoringOf = ({ monitoringUrls: urls }: NatsServers) => ({
      urls,
      read: async (url: string) => (await fetch(url)).text(),
    })

    test('the monitoring endpoint of a server alone shows whether it syncs each write', async () => {
      const synced = await start({ binary, count: 1 })
      const monitoring = monitoringOf(synced)
      expect(await open({ servers: synced.addresses }, { monitoring })).toEqual([])
      const unsynced = await start({ binary, count: 1, syncsAlways: false })
      const warnings = await open(
        { servers: unsynced.addresses },
        { monitoring: monitoringOf(unsynced) },
      )
      expect(warnings[0]).toMatch(/syncs its files only every 2 minutes/)
    })

    test('a cluster is accepted by the system account, by monitoring, or by a statement', async () => {
      const servers = await start({ binary, count: 3, configuration: users })
      const settings = { servers: servers.addresses.slice(0, 1), ...app }
      await expect(open(settings, {})).rejects.toMatchObject({ code: 'COORDINATION_REFUSED' })
      expect(await open(settings, { system })).toEqual([])
      expect(await open(settings, { monitoring: monitoringOf(servers) })).toEqual([])
      expect(await open(settings, { syncIsAlways: true })).toEqual([])
      await expect(open(settings, { system: app })).rejects.toThrow(
        /not a user of the system account/,
      )
    })

    test('a cluster with a server that is down is accepted by the monitoring of the others', async () => {
      const servers = await start({ binary, count: 3 })
      const settings = { servers: servers.addresses }
      const read = (url: string) =>
        fetch(url).then(
          (answer) => answer.text(),
          (error) => Promise.reject(new CoordinationError('COORDINATION_UNAVAILABLE', url, error)),
        )
      const monitoring = { urls: servers.monitoringUrls, read }
      // NATS creates no stream of three copies while a server is known to be down.
      expect(await open(settings, { monitoring })).toEqual([])
      await servers.kill(2)
      const [warning, ...more] = await open(settings, { monitoring })
      expect(more).toEqual([])
      expect(warning).toMatch(servers.addresses[2]!)
      expect(warning).toMatch(servers.monitoringUrls[2]!)
      // A server that runs is not accepted unseen: its endpoint may answer later.
      const urls = [...servers.monitoringUrls.slice(1), 'http://127.0.0.1:1']
      await expect(open(settings, { monitoring: { urls, read } })).rejects.toMatchObject({
        code: 'COORDINATION_UNAVAILABLE',
      })
    })

    test('the system account tells that a server does not answer', async () => {
      const servers = await start({ binary, count: 3, configuration: users })
      const settings = { servers: servers.addresses.slice(0, 1), ...app }
      expect(await open(settings, { system })).toEqual([])
      servers.pause(2)
      const [warning, ...more] = await open(settings, { system })
      expect(more).toEqual([])
      expect(warning).toMatch(
        /the system account knows did not answer: 1 of 3; check that they run/,
      )
      servers.resume(2)
    })

    test('a cluster that does not sync each write is refused', async () => {
      const servers = await start({ binary, count: 3, syncsAlways: false, configuration: users })
      const settings = { servers: servers.addresses, ...app }
      await expect(open(settings, { system, syncIsAlways: true })).rejects.toThrow(
        /n\d, n\d, n\d do not sync each write/,
      )
    })

    test('a log that was changed to one copy is refused in a cluster', async () => {
      const servers = await start({ binary, count: 3 })
      const settings = { servers: servers.addresses }
      await open(settings, { syncIsAlways: true })
      const admin = await StreamAdmin.connect(servers.addresses)
      closing.push(admin)
      await admin.link.api('change a stream', (streams) =>
        streams.update('log-g1', { num_replicas: 1 }),
      )
      await expect(open(settings, { syncIsAlways: true })).rejects.toThrow(
        /num_replicas is 1 instead of 3.*nats stream edit log-g1/,
      )
    })
  })
})
