// Connections to real nats-servers: authentication, TLS, and what their failures say.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { connectNats } from '../../../../../protocol/coordination/log/nats/natsLink.ts'
import type { NatsSettings } from '../../../../../protocol/coordination/log/nats/natsSettings.ts'
import { systemRandom } from '../../../../../protocol/runtime/random.ts'
import { systemClock } from '../../../../../protocol/runtime/time/clock.ts'
import { freePort } from '../../../../endToEnd/programs.ts'
import { debianNatsServer } from '../../../../peers/natsBinary.ts'
import { NatsServers } from '../../../../peers/natsServers.ts'
import { hasTool } from '../../../../tools.ts'
import { makeCredentials } from './natsCredentials.ts'

const binary = debianNatsServer()
const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close()
})

async function start(configuration: string): Promise<string[]> {
  const servers = await NatsServers.start({
    binary: binary!,
    count: 1,
    syncsAlways: false,
    configuration,
  })
  closing.push(servers)
  return servers.addresses
}

async function connected(settings: NatsSettings): Promise<string | undefined> {
  const link = await connectNats(settings, { clock: systemClock, random: systemRandom() })
  closing.push(link)
  return link.server?.name
}

async function failure(settings: NatsSettings): Promise<{ code: string; message: string }> {
  return await connected(settings).then(
    () => expect.fail('the connection should fail'),
    (error) => error,
  )
}

describe('settings that make no sense are refused', () => {
  test.each([
    [{ servers: [] }, /servers is empty/],
    [{ servers: ['nats://host:4222'] }, /not host:port/],
    [{ servers: ['host'] }, /not host:port/],
    [{ servers: ['host:4222'], user: 'a' }, /must be set together/],
    [{ servers: ['host:4222'], token: 'a', nkeySeed: 'b' }, /exclude each other/],
    [{ servers: ['host:4222'], credentials: 'a' }, /credentials\.file has no JWT/],
    [{ servers: ['host:4222'], nkeySeed: 'a' }, /nkey\.file has no seed/],
    [{ servers: ['host:4222'], tls: { key: 'a' } }, /must be set together/],
  ] satisfies [NatsSettings, RegExp][])('%j', async (settings, message) => {
    const error = await failure(settings)
    expect(error).toMatchObject({ code: 'COORDINATION_REFUSED' })
    expect(error.message).toMatch(message)
  })
})

test('a server that cannot be reached is unavailable, not refused', async () => {
  const error = await failure({ servers: [`127.0.0.1:${await freePort()}`] })
  expect(error.code).toBe('COORDINATION_UNAVAILABLE')
  expect(error.message).toMatch(/cannot connect to NATS at 127\.0\.0\.1:\d+.*nats\.servers/)
})

describe.skipIf(binary === undefined)('authentication', () => {
  test('by user and password; a failure names the settings', async () => {
    const servers = await start('authorization { user: app, password: secret }')
    expect(await connected({ servers, user: 'app', password: 'secret' })).toBe('n0')
    const wrong = await failure({ servers, user: 'app', password: 'wrong' })
    expect(wrong).toMatchObject({ code: 'COORDINATION_REFUSED' })
    expect(wrong.message).toMatch(/refuses the user: check .*nats\.user and .*nats\.password/)
    const none = await failure({ servers })
    expect(none.message).toMatch(/requires authentication: set one of .*credentials/)
  })

  test('by token and by nkey', async () => {
    const byToken = await start('authorization { token: secret }')
    expect(await connected({ servers: byToken, token: 'secret' })).toBe('n0')
    expect((await failure({ servers: byToken, token: 'x' })).message).toMatch(/check .*nats\.token/)
    const [user, other] = [nkeys.createUser(), nkeys.createUser()]
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
    const byKey = await start(`authorization { users: [{ nkey: ${user.getPublicKey()} }] }`)
    expect(await connected({ servers: byKey, nkeySeed: `${text(user.getSeed())}\n` })).toBe('n0')
    const wrong = await failure({ servers: byKey, nkeySeed: text(other.getSeed()) })
    expect(wrong.message).toMatch(/check .*nats\.nkey/)
  })
})

describe.skipIf(binary === undefined)('credentials', () => {
  test('of a user are those of its JWT and key', async () => {
    const { configuration, content, forged } = makeCredentials()
    const servers = await start(configuration)
    expect(await connected({ servers, credentials: content })).toBe('n0')
    const wrong = await failure({ servers, credentials: forged })
    expect(wrong.code).toBe('COORDINATION_REFUSED')
    expect(wrong.message).toMatch(/check coordination\.nats\.credentials\.file/)
  })
})

describe.skipIf(binary === undefined || !hasTool('openssl'))('TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-nats-tls-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const file = (name: string) => join(directory, name)
  const text = (name: string) => readFileSync(file(name), 'utf8')

  function openssl(...words: string[]): void {
    execFileSync('openssl', words, { stdio: 'ignore' })
  }

  function authority(name: string): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)]
    openssl('req', '-x509', ...key, ...out, '-subj', `/CN=${name}`, '-days', '2')
  }

  function certificate(name: string, signer: string): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const own = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)]
    const signedBy = ['-CA', file(`${signer}.pem`), '-CAkey', file(`${signer}.key`)]
    const host = ['-addext', 'subjectAltName=IP:127.0.0.1', '-subj', `/CN=${name}`, '-days', '2']
    openssl('req', '-x509', ...key, ...own, ...signedBy, ...host)
  }

  function serverTls(more = ''): string {
    const files = `cert_file: "${file('server.pem')}", key_file: "${file('server.key')}"`
    return `tls { ${files} ${more} }`
  }

  test('the certificate of the server is checked, and a failure names the setting', async () => {
    authority('ca')
    authority('otherCa')
    certificate('server', 'ca')
    const servers = await start(serverTls())
    expect(await connected({ servers, tls: { ca: text('ca.pem') } })).toBe('n0')
    expect(await connected({ servers, tls: { verify: false } })).toBe('n0')
    for (const tls of [{ ca: text('otherCa.pem') }, {}]) {
      const error = await failure({ servers, tls })
      expect(error.code).toBe('COORDINATION_REFUSED')
      expect(error.message).toMatch(/set coordination\.nats\.tls\.ca\.file to the certificate/)
    }
    const broken = await failure({ servers, tls: { ca: 'no certificate' } })
    expect(broken.code).toBe('COORDINATION_REFUSED')
  })

  test('a server may ask for a certificate of the client', async () => {
    authority('ca')
    certificate('server', 'ca')
    certificate('client', 'ca')
    const ca = text('ca.pem')
    const servers = await start(serverTls(`, ca_file: "${file('ca.pem')}", verify: true`))
    const own = { certificate: text('client.pem'), key: text('client.key') }
    expect(await connected({ servers, tls: { ca, ...own } })).toBe('n0')
    const error = await failure({ servers, tls: { ca }, connectTimeoutMs: 500 })
    expect(error.message).toMatch(/set coordination\.nats\.tls\.certificate/)
  })

  test('TLS that the server does not have is refused', async () => {
    const servers = await start('')
    const error = await failure({ servers, tls: { verify: false } })
    expect(error.code).toBe('COORDINATION_REFUSED')
    expect(error.message).toMatch(/the server has no TLS/)
  })
})
